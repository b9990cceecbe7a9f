package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// Ports are taken from below the range the kernel uses for outgoing connections: while a server is down between a
// stop and a start, no connection can get its port.
const (
	portMin = 20000
	portMax = 32768
)

// ports are numbers that were free on 127.0.0.1, for TCP and UDP, when they were reserved. A lock file for each keeps
// other test processes from choosing them too, also while nobody listens, until release or the end of the process.
type ports struct {
	locks []*os.File

	mu      sync.Mutex
	numbers []int // not handed out yet
}

func reservePorts(n int) (*ports, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("dropship-test-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot reserve ports: %w", err)
	}
	p := new(ports)
	for try := 0; len(p.numbers) < n; try++ {
		if try == 1000 {
			p.release()
			return nil, fmt.Errorf("cannot reserve %d ports: found only %d free in %d tries", n, len(p.numbers), try)
		}
		number := portMin + rand.IntN(portMax-portMin)
		lock, err := lockPort(dir, number)
		if err != nil {
			p.release()
			return nil, fmt.Errorf("cannot reserve port %d: %w", number, err)
		}
		if lock == nil {
			continue
		}
		p.numbers, p.locks = append(p.numbers, number), append(p.locks, lock)
	}
	return p, nil
}

// lockPort returns nil when the port is taken.
func lockPort(dir string, number int) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(number)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil && portFree(number) {
		return lock, nil
	}
	lock.Close()
	if err == nil || errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, err
}

func portFree(number int) bool {
	address := net.IPv4(127, 0, 0, 1)
	tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: address, Port: number})
	if err != nil {
		return false
	}
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: address, Port: number})
	if err != nil {
		_ = tcp.Close()
		return false
	}
	return errors.Join(tcp.Close(), udp.Close()) == nil
}

// Reserve returns an address on loopback where nobody listens, and which no other test gets until this one is over: for
// who chooses an address long before it is listened at, or not at all.
func Reserve(t testing.TB) (address string) {
	t.Helper()
	p, err := reservePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.release)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.next()))
}

// next hands out the reserved ports one by one. To ask for more than were reserved is a mistake and panics.
func (p *ports) next() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	number := p.numbers[0]
	p.numbers = p.numbers[1:]
	return number
}

// release lets others choose the ports again.
func (p *ports) release() {
	for _, lock := range p.locks {
		lock.Close()
	}
}
