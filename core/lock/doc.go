// Package lock settles what became of transactions whose locks are in the way: the
// [Resolver] asks primaries and removes what is left of transactions that have
// ended, and the [Cache] remembers final statuses.
package lock
