package power

import (
	"context"
	"maps"
	"path/filepath"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const blockSize = 4096

// blocks is what a disk holds. A block that is there is never changed, only replaced, so that disks share them.
type blocks map[int64]*[blockSize]byte

func (b blocks) clone() blocks { return maps.Clone(b) }

func (b blocks) write(data []byte, off int64) {
	for len(data) > 0 {
		number, within := off/blockSize, off%blockSize
		var block [blockSize]byte
		if old := b[number]; old != nil {
			block = *old
		}
		n := copy(block[within:], data)
		b[number] = &block
		data, off = data[n:], off+int64(n)
	}
}

func (b blocks) read(dest []byte, off int64) {
	for len(dest) > 0 {
		number, within := off/blockSize, off%blockSize
		n := min(int64(len(dest)), blockSize-within)
		if block := b[number]; block != nil {
			copy(dest[:n], block[within:])
		} else {
			clear(dest[:n])
		}
		dest, off = dest[n:], off+n
	}
}

// A Disk is a file in the recorder's file system, to put a loop device on.
type Disk struct {
	fs.Inode
	recorder *Recorder
	name     string
	size     int64
	content  blocks // what the machine believes to be on the disk
	base     blocks // what was there when the log began; nil for a disk that is not recorded
}

// Path is the disk's file.
func (d *Disk) Path() string { return filepath.Join(d.recorder.dir, d.name) }

// Remove makes the disk's memory free. Nothing is mounted from it any more.
func (d *Disk) Remove() { d.recorder.remove(d) }

// Getattr implements fs.NodeGetattrer.
func (d *Disk) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = 0o600, uint64(d.size)
	return 0
}

// Open implements fs.NodeOpener. The kernel writes through its cache, so that a write is here when it returns.
func (*Disk) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) { return nil, 0, 0 }

// Read implements fs.NodeReader.
func (d *Disk) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	dest = dest[:max(0, min(int64(len(dest)), d.size-off))]
	d.recorder.mu.Lock()
	defer d.recorder.mu.Unlock()
	d.content.read(dest, off)
	return fuse.ReadResultData(dest), 0
}

// Write implements fs.NodeWriter.
func (d *Disk) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if off+int64(len(data)) > d.size {
		return 0, syscall.EFBIG
	}
	d.recorder.mu.Lock()
	defer d.recorder.mu.Unlock()
	d.content.write(data, off)
	if d.recorder.recording && d.base != nil {
		d.recorder.log = append(d.recorder.log, entry{disk: d, off: off, data: append([]byte(nil), data...)})
	}
	return uint32(len(data)), 0
}

// Fsync implements fs.NodeFsyncer: the loop device was told to flush. It has waited for all writes that came before.
func (d *Disk) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	d.recorder.mu.Lock()
	defer d.recorder.mu.Unlock()
	if d.recorder.recording && d.base != nil {
		d.recorder.log = append(d.recorder.log, entry{disk: d, flush: true})
	}
	return 0
}

// Setattr implements fs.NodeSetattrer: times are not kept, and a disk has one size.
func (d *Disk) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok && size != uint64(d.size) {
		return syscall.EPERM
	}
	out.Mode, out.Size = 0o600, uint64(d.size)
	return 0
}
