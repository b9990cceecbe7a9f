// Package consul gives turns through Consul: a semaphore with a queue, on sessions and the KV store.
//
// # How it works
//
// Who wants a slot makes a session (a TTL, no health checks, behaviour delete) and puts a key
// PREFIX/GROUP/SESSION that the session holds; its value is a lock.Holder as JSON, so that
//
//	consul kv get -recurse dropship/slots/
//
// shows who holds and who waits. The order of arrival is the order of the keys' CreateIndex, and the first
// `updateSlots` of a group hold. Who waits watches only the contender right before it; only the first in
// line watches the slots, or the names in the group until it has seen that nobody is hidden from it, and as long as
// somebody ahead has not taken a slot. Whoever enters says so in its own key, which wakes the next. So a slot
// that comes free wakes one machine, and who comes into line at most one. The line is as long as the machines are many,
// so each reads it once, as it comes into it: nobody can come in ahead of it later, and names tell who has left. It is read
// again only if the one before leaves without having held, and each five minutes, which is how old what those further back
// are told of who is ahead may be.
//
// Each slot is a key, too: PREFIX/GROUP/.slot-0, .slot-1 … One transaction enters: it takes a slot that is free and
// writes "holding" into the contender's key, both only if the session still has that key, the one whose slot came free has
// left the line, and the board has no entry of the hash that is to be installed. (With an entry it enters all the same, and
// the lease says that the board is to be asked.) One transaction gives back: it deletes both keys while the session still
// lives, and leaves the session, on which nothing hangs any more, to end by its TTL. If the session ends in any
// other way, Consul keeps the slot closed for the lock delay, which is the TTL (a minute at the most), and the next in
// line tries again and again until it opens. Reads on which anything is decided are consistent.
//
// Keys below the prefix that no session holds are nobody's, and ignored: leftovers, notes, the .lock of
// Consul's own semaphore. So are keys in folders below a group's, which are another lock's, with a longer
// prefix. A key that a session holds counts, even if its value cannot be read.
//
// # What an update costs
//
// Nine requests for each machine, however many wait:
//
//  1. the board is asked, before the download
//  2. the session is made
//  3. the key is put into line (a transaction that returns the line)
//  4. a watch of the contender before it, which ends when that one takes its slot
//  5. a watch of the names in the group, which ends when that one gives it back
//  6. the slot is taken (a transaction, which looks at the board)
//  7. a watch of its own key, for as long as the slot is held
//  8. Check, right before the switch
//  9. the slot is given back (a transaction)
//
// With several slots it looks at the names at once after 4, since another slot may have come free before that one was
// taken; if none has, it watches the slots in place of 5, which is one more. With one slot there is one more where somebody
// comes into line just then. Who need not wait looks at the names in place of 4 and 5. To this come a renewal each third of the TTL, another watch for each half minute of waiting or holding, and
// where the hash is on the board, the transaction once more without looking there, and a question what is.
//
// A slot is handed over in two: the transaction that gives it back, and the one of the next in line, whose watch the
// first has ended.
//
// For up to twice the TTL after an update its session is still to be seen in Consul (consul session list), without a key.
//
// # What is promised
//
// While Consul works, at most updateSlots machines of a group hold, whatever dies: a slot is given on only
// when its holder gave it back, or its session has ended. Consul ends a session no sooner than its TTL after
// the last renewal that it saw (in practice after twice that), and a machine itself counts a slot as lost when
// nine tenths of the TTL have gone by since it sent the last renewal that was answered. So a holder that is cut
// off stops counting on its slot before anybody else can be given it. That is judged by a clock that goes on
// while the machine sleeps. An outage of Consul shorter than about half the TTL costs nobody a slot or a place, if
// it is a crash or a cut in the network, and not an agent that leaves (see below).
//
// If the session is ended in Consul before its TTL (destroyed by an operator, or with its node), the lock delay keeps
// the slot closed until the holder, even if it cannot be told, has given up. If the keys are deleted, another machine may
// enter at once; the holder notices when Consul tells it, within milliseconds where the network works. So
//
//	consul kv delete -recurse PREFIX/GROUP/
//
// opens a group's slots by force. Only do so when the holders are known to be dead.
//
// A Consul client agent that leaves its cluster takes away what its machine holds: Consul ends all sessions
// of a node that leaves, whatever their TTL. It leaves on `consul leave`, and on `systemctl stop` or `restart`, since
// leave_on_terminate is true on clients unless it is set. The holder, which reaches Consul only through the agent that is
// gone, counts on its slot for up to nine tenths of the TTL more, and for so long, and a tenth more, nobody else enters.
// Where the TTL is longer than a minute, the lock delay is not enough for that: the next machine may enter a minute after.
// The update of the machine is lost in any case: with
//
//	leave_on_terminate = false
//
// on the client agents that Dropship uses, a restart of the agent costs nothing. Servers have it so by default.
//
// When Consul's servers are split, only the side with the majority gives slots, keeps sessions and answers
// consistent reads; holders on the other side lose theirs as above. If Consul's data is lost or set back to
// an old snapshot, so are the slots: nothing can be promised across that. Lock delays are kept in the servers' memory:
// if all servers start anew within one, it is over.
//
// # What is not
//
// A lease is no fence around the work. A process that is paused (SIGSTOP, a frozen VM, a disk that hangs)
// between a check and what it does next can act after its slot has gone to another; when it goes on, it looks
// at the clock before it renews, finds the slot lost and stops. That leaves a moment in which two machines
// update. Two things keep it small. Lease.Check, right before the switch, reads consistently whether the slot
// is still held. And what runs under the slot, hooks above all, runs under a context that ends with the slot
// (lock.WithLease), and is stopped: work that goes on after its lock is lost is how two holders come about
// that nobody sees.
//
// # What it needs
//
// Consul 1.11 or later: older ones do not tell that a token sees only a part of the line. None tells it to who
// comes without a token, so if the anonymous token sees something below the prefix, let it see all.
//
// Answers within a sixth of the TTL. A renewal that takes longer is given up and sent again, so where all do, who
// waits loses its place after nine tenths of the TTL, and only who need not wait gets a slot: raise ttl.
//
// Two connections for each service that waits or holds, to the address it was given. An agent takes 200 from one
// client address (limits.http_max_conns_per_client), so where about 100 services come from one address, a
// machine's or a proxy's, raise that.
//
// # Safety first
//
// Safety comes before progress. Without Consul nobody gets a slot; a dead holder keeps its slot until its
// session ends, up to twice the TTL, and it stays closed for the TTL once more; and a machine that stands still before its updateTTL is over holds up the
// others of its group.
package consul
