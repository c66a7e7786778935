package embed

import (
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/app"
)

// Open starts a simulated cluster in real time and a client on it. Closing the
// client ends the cluster, too. Safe for concurrent use, as every client.
func Open(cfg sim.Config, opts ...app.ClientOption) (*app.Client, *sim.Wall, error) {
	world, err := sim.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	wall := sim.NewWall(world)
	db, err := open(wall, "client", wall.Close, opts)
	if err != nil {
		wall.Close()
		return nil, nil, err
	}
	return db, wall, nil
}

// Client opens one more client on a running cluster. Closing it leaves the cluster
// running; close it before the client that Open returned.
func Client(wall *sim.Wall, name string, opts ...app.ClientOption) (*app.Client, error) {
	return open(wall, name, func() {}, opts)
}

func open(wall *sim.Wall, name string, after func(), opts []app.ClientOption) (*app.Client, error) {
	process := wall.Client(name)
	return app.New(app.Ports{
		Network: process, Oracle: process, Placement: process, Timers: process,
		Close: func() {
			process.Close()
			after()
		},
	}, opts...)
}
