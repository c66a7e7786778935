package simtest

import (
	"bytes"
	"runtime"
	"strconv"
)

// goroutine returns the number of the calling goroutine, which package runtime tells in stack traces only. Actors must
// be told apart, and the driver's gates are given nothing else by which they could be.
func goroutine() uint64 {
	var buf [64]byte
	_, rest, _ := bytes.Cut(buf[:runtime.Stack(buf[:], false)], []byte(" "))
	digits, _, _ := bytes.Cut(rest, []byte(" "))
	id, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		panic("simtest: a stack trace begins without the goroutine's number: " + string(buf[:]))
	}
	return id
}

// callStack returns the stack of the calling goroutine.
func callStack() []byte {
	buf := make([]byte, 64<<10)
	return buf[:runtime.Stack(buf, false)]
}
