module github.com/tikvx/tikvx/tests/cluster

go 1.25.12

require (
	github.com/tikvx/tikvx v0.0.0
	github.com/tikvx/tikvx/tests/workload v0.0.0
)

replace (
	github.com/tikvx/tikvx => ../..
	github.com/tikvx/tikvx/tests/workload => ../workload
)
