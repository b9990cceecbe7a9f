package power

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// A Recorder is a mounted file system of disks, and of the file "events", to which whatever is told to the world
// outside is appended. It is safe for concurrent use.
type Recorder struct {
	dir    string
	server *fuse.Server
	ended  func() // of the process that watches over this one
	root   *fs.Inode

	mu        sync.Mutex
	made      int
	recording bool
	log       []entry
	events    []string
	awaited   string        // the beginning of an event
	heard     chan struct{} // closed when one came that begins so; nil: none is awaited
}

// An entry is one thing that happened: a write to a disk, a flush of it, or an event.
type entry struct {
	disk  *Disk
	off   int64
	data  []byte
	flush bool
	event string
}

// NewRecorder mounts a Recorder at dir, an empty directory. It needs root.
func NewRecorder(dir string) (*Recorder, error) {
	r := &Recorder{dir: dir}
	// The library's own open lets every child inherit the descriptor, and the kernel would wait for answers from
	// a recorder that has died as long as one of them lives.
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open /dev/fuse: %w", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)
	if err := unix.Mount("dropship-power", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("cannot mount a recorder of disks at %s: %w", dir, err)
	}
	root := &fs.Inode{}
	server, err := fs.Mount(fmt.Sprintf("/dev/fd/%d", fd), root, &fs.Options{MountOptions: fuse.MountOptions{
		DisableXAttrs: true, MaxWrite: 1 << 20,
	}})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot serve the recorder of disks at %s: %w", dir, err), unix.Unmount(dir, unix.MNT_DETACH))
	}
	r.server, r.root = server, root
	r.add("events", &eventsNode{recorder: r})
	if r.ended, err = watch(dir); err != nil {
		r.ended = func() {}
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close unmounts the recorder. Volumes on its disks are unmounted before.
func (r *Recorder) Close() error {
	if err := unix.Unmount(r.dir, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("cannot unmount the recorder at %s: %w", r.dir, err)
	}
	r.server.Wait()
	r.ended()
	return nil
}

// EventsPath is the file that hooks append to, a line for each event.
func (r *Recorder) EventsPath() string { return filepath.Join(r.dir, "events") }

func (r *Recorder) add(name string, node fs.InodeEmbedder) {
	ctx := context.Background() // go-fuse only passes it on to OnAdd
	r.root.AddChild(name, r.root.NewPersistentInode(ctx, node, fs.StableAttr{Mode: syscall.S_IFREG}), true)
}

// Record begins a log, which is empty; what the disks hold now is what the log starts from.
func (r *Recorder) Record(disks ...*Disk) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recording, r.log = true, nil
	for _, d := range disks {
		d.base = d.content.clone()
	}
}

// Stop ends the log and returns it.
func (r *Recorder) Stop() *Log {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recording = false
	return &Log{r.log}
}

// Tell appends an event from within this process.
func (r *Recorder) Tell(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
	if r.heard != nil && strings.HasPrefix(event, r.awaited) {
		close(r.heard)
		r.heard = nil
	}
	if r.recording {
		r.log = append(r.log, entry{event: event})
	}
}

// Await returns a channel that is closed at the next event that begins so; nil if prefix is empty.
func (r *Recorder) Await(prefix string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.awaited, r.heard = prefix, nil
	if prefix != "" {
		r.heard = make(chan struct{})
	}
	return r.heard
}

// TakeEvents returns the events since the last call, whether they were recorded or not.
func (r *Recorder) TakeEvents() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	return events
}

// NewDisk makes a disk of that many bytes, all zero.
func (r *Recorder) NewDisk(size int64) *Disk { return r.diskOf(size, blocks{}) }

func (r *Recorder) diskOf(size int64, content blocks) *Disk {
	r.mu.Lock()
	r.made++
	name := fmt.Sprintf("disk-%d", r.made)
	r.mu.Unlock()
	d := &Disk{recorder: r, name: name, size: size, content: content}
	r.add(name, d)
	return d
}

type eventsNode struct {
	fs.Inode
	recorder *Recorder
}

// Getattr implements fs.NodeGetattrer.
func (*eventsNode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = 0o666
	return 0
}

// Open implements fs.NodeOpener.
func (*eventsNode) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

// Write implements fs.NodeWriter.
func (n *eventsNode) Write(_ context.Context, _ fs.FileHandle, data []byte, _ int64) (uint32, syscall.Errno) {
	for line := range strings.Lines(string(data)) {
		n.recorder.Tell(strings.TrimSpace(line))
	}
	return uint32(len(data)), 0
}

// remove takes a disk that is not in use out of the file system.
func (r *Recorder) remove(d *Disk) {
	r.root.RmChild(d.name)
	_ = r.root.NotifyEntry(d.name) // the kernel may have forgotten it already
}
