package main

import (
	"os"
	"runtime/pprof"
)

// startProfile writes a CPU profile until stop is called; no path, no profile.
func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close() // a profile that cannot be written is seen when it is read
	}, nil
}
