module github.com/tikvx/tikvx/tests/workload

go 1.25.0
