// Package load holds workloads that cannot lie: whatever the clients were told can
// be held against what the cluster kept. They are ordinary users of the client and
// run as tasks of a simulated world or, [Bank] alone, in goroutines.
package load
