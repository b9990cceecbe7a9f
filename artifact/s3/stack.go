package s3

import "runtime"

// sdkStack is what the SDK's middleware needs of a goroutine's stack for one request, in bytes, and some more.
const sdkStack = 40 << 10

// growStack gives the goroutine a stack that the SDK will not outgrow. It would be doubled several times otherwise, each
// time with more frames to move: a twelfth of all that a check computes, which has a goroutine of its own.
//
//go:noinline
func growStack() {
	var room [sdkStack]byte
	runtime.KeepAlive(&room)
}
