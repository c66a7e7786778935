package check

import "slices"

// dependency is why one transaction comes after another. Searches take several.
type dependency uint8

const (
	writeWrite dependency = 1 << iota
	writeRead
	readWrite
	realTime
)

// String returns the arrow of one dependency.
func (d dependency) String() string {
	switch d {
	case writeWrite:
		return "-ww->"
	case writeRead:
		return "-wr->"
	case readWrite:
		return "-rw->"
	default:
		return "-before->"
	}
}

type edge struct {
	from, to int
	kind     dependency
}

// dependencies is a graph of transactions. Nodes from size on are instants.
type dependencies struct {
	edges [][]edge
}

func (g *dependencies) begin(size int) { g.edges = make([][]edge, size) }

// line adds nodes and returns the first.
func (g *dependencies) line(n int) int {
	first := len(g.edges)
	g.edges = append(g.edges, make([][]edge, n)...)
	return first
}

// add adds an edge; nobody depends on himself.
func (g *dependencies) add(from, to int, kind dependency) {
	if e := (edge{from, to, kind}); from != to && !slices.Contains(g.edges[from], e) {
		g.edges[from] = append(g.edges[from], e)
	}
}

// cycle returns a short cycle of edges of the given kinds in which no two anti-dependencies follow each other, nil when
// there is none. It begins with a transaction.
//
// Each node is searched twice: as reached by an anti-dependency, after which none may follow, and as reached otherwise.
func (g *dependencies) cycle(kinds dependency) []edge {
	s := search{graph: g, kinds: kinds, group: make([]int, 2*len(g.edges)), low: make([]int, 2*len(g.edges))}
	for i := range s.group {
		s.group[i] = unvisited
	}
	for i := range s.group {
		if s.group[i] == unvisited {
			s.components(i)
		}
	}
	var best []edge
	for i := range len(g.edges) {
		// A cycle without adjacent anti-dependencies has a node that is reached otherwise.
		if s.size(2*i) > 1 {
			if path := s.shortest(2 * i); best == nil || len(path) < len(best) {
				best = path
			}
			if len(best) <= 2 {
				break
			}
		}
	}
	return turn(best, kinds)
}

// turn lets a cycle begin with a transaction: instants only have edges of time.
func turn(path []edge, kinds dependency) []edge {
	if kinds&realTime == 0 {
		return path
	}
	for i, e := range path {
		if e.kind != realTime {
			return append(slices.Clone(path[i:]), path[:i]...)
		}
	}
	return path
}

const unvisited = -1

// search is Tarjan's for strongly connected components, without recursion, and then a breadth-first one.
type search struct {
	graph *dependencies
	kinds dependency
	// group is the component of each node, once it is known; before, low is what Tarjan calls so.
	group, low []int
	sizes      []int
	stack      []int
	order      int
}

// successors calls f with the nodes after a node: node 2i is i reached otherwise, 2i+1 by an anti-dependency.
func (s *search) next(node, n int) (to int, e edge, ok bool) {
	edges := s.graph.edges[node/2]
	if n >= len(edges) {
		return 0, edge{}, false
	}
	e = edges[n]
	switch {
	case e.kind&s.kinds == 0 || node%2 == 1 && e.kind == readWrite:
		return unvisited, e, true
	case e.kind == readWrite:
		return 2*e.to + 1, e, true
	default:
		return 2 * e.to, e, true
	}
}

const onStack = -2

func (s *search) components(root int) {
	type frame struct{ node, index, edge int }
	frames := []frame{s.enter(root)}
	for len(frames) > 0 {
		f := &frames[len(frames)-1]
		to, _, ok := s.next(f.node, f.edge)
		if ok {
			f.edge++
			switch {
			case to == unvisited:
			case s.group[to] == unvisited:
				frames = append(frames, s.enter(to))
			case s.group[to] == onStack:
				s.low[f.node] = min(s.low[f.node], s.low[to])
			}
			continue
		}
		if s.low[f.node] == f.index {
			s.leave(f.node)
		}
		node := f.node
		frames = frames[:len(frames)-1]
		if len(frames) > 0 && s.group[node] == onStack {
			parent := frames[len(frames)-1].node
			s.low[parent] = min(s.low[parent], s.low[node])
		}
	}
}

func (s *search) enter(node int) struct{ node, index, edge int } {
	s.group[node], s.low[node] = onStack, s.order
	s.stack = append(s.stack, node)
	s.order++
	return struct{ node, index, edge int }{node, s.low[node], 0}
}

// leave takes a whole component off the stack.
func (s *search) leave(root int) {
	id := len(s.sizes)
	n := 0
	for {
		top := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		s.group[top] = id
		n++
		if top == root {
			break
		}
	}
	s.sizes = append(s.sizes, n)
}

func (s *search) size(node int) int { return s.sizes[s.group[node]] }

// shortest returns a shortest cycle through a node of a component.
func (s *search) shortest(start int) []edge {
	came := map[int]edge{}
	from := map[int]int{}
	queue := []int{start}
	for len(queue) > 0 {
		node := queue[0]
		queue = queue[1:]
		for n := 0; ; n++ {
			to, e, ok := s.next(node, n)
			if !ok {
				break
			}
			if to == unvisited || s.group[to] != s.group[start] {
				continue
			}
			if to == start {
				path := []edge{e}
				for at := node; at != start; at = from[at] {
					path = append(path, came[at])
				}
				slices.Reverse(path)
				return path
			}
			if _, ok := from[to]; !ok {
				from[to], came[to] = node, e
				queue = append(queue, to)
			}
		}
	}
	return nil
}
