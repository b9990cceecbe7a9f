// Soak has a real dropship agent work for a long time, a hundred times as fast as people run it, and judges whether its
// memory, goroutines, file descriptors and files stay as many as they are.
//
// The agent is the built binary with twenty services, each checked every 100 ms in place of 10 s, from every kind of
// repository; a third of them take turns through the real Consul. Every second something happens to one of them, a
// [journey]: a release is published, or a broken one, which has to be rolled back and to be followed by a good one; a
// person pauses it, rolls it back, has it checked, has the configuration reloaded; a network is cut. Each journey ends
// with the service live at what was published last, byte for byte, or is a violation, as is every warning and error in
// the agent's log that no journey provoked. Meanwhile a watcher comes and goes, as people do.
//
// Samples are taken every second from /proc, from the agent's own Prometheus endpoint and from the disk. In the end
// they are judged (see [judge]), and drawn by gnuplot.
//
// Exit status: 0, all of it is flat and nothing was violated; 1, something is not; 2, it could not run.
package main
