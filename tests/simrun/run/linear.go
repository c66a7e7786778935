package run

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/tikvx/tikvx/adapters/sim/load"
	"github.com/tikvx/tikvx/ports"
)

// register is a register as a sequential specification: it holds a text, empty while
// the key is absent, and swaps compare.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byRegister := map[int][]porcupine.Operation{}
		var order []int
		for _, op := range history {
			n := op.Input.(load.RegisterOp).Register
			if byRegister[n] == nil {
				order = append(order, n)
			}
			byRegister[n] = append(byRegister[n], op)
		}
		var parts [][]porcupine.Operation
		for _, n := range order {
			parts = append(parts, byRegister[n])
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, _ any) (bool, any) {
		value, op := state.(string), input.(load.RegisterOp)
		switch op.Kind {
		case load.RegisterRead:
			return op.Found == value, value
		case load.RegisterWrite:
			return true, op.New
		case load.RegisterSwap:
		}
		matches := value == op.Old
		if op.Unknown {
			if matches {
				return true, op.New
			}
			return true, value
		}
		if op.Swapped != matches || op.Found != value {
			return false, value
		}
		if matches {
			return true, op.New
		}
		return true, value
	},
	Equal: func(a, b any) bool { return a.(string) == b.(string) },
}

// linearizable reports calls that cannot be put into one order. What has no answer may have happened at any time after
// it was called.
func linearizable(ops []load.RegisterOp) []string {
	var history []porcupine.Operation
	for _, op := range ops {
		if op.NotApplied {
			continue
		}
		ended := op.Ended
		if op.Unknown {
			ended = ports.Never
		}
		history = append(history, porcupine.Operation{
			ClientId: op.Client, Input: op, Call: int64(op.Began), Output: nil, Return: int64(ended),
		})
	}
	result, info := porcupine.CheckOperationsVerbose(register, history, 0)
	if result == porcupine.Ok {
		return nil
	}
	wrong := []string{fmt.Sprintf("%d calls on registers are not linearizable", len(ops))}
	parts := register.Partition(history)
	for i, orders := range info.PartialLinearizationsOperations() {
		wrong = append(wrong, stuck(parts[i], orders)...)
	}
	return wrong
}

// stuck describes where the longest order of a register's calls ends: its last two
// calls, and the call that had to come next and could not.
func stuck(calls []porcupine.Operation, orders [][]porcupine.Operation) []string {
	longest := slices.MaxFunc(orders, func(a, b []porcupine.Operation) int { return len(a) - len(b) })
	if len(longest) == len(calls) {
		return nil
	}
	var left []porcupine.Operation
	for _, c := range calls {
		if !slices.ContainsFunc(longest, func(o porcupine.Operation) bool { return o.Input == c.Input }) {
			left = append(left, c)
		}
	}
	next := slices.MinFunc(left, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	var lines []string
	for _, o := range longest[max(0, len(longest)-2):] {
		lines = append(lines, fmt.Sprintf("  after  %+v", o.Input))
	}
	return append(lines, fmt.Sprintf("  cannot %+v", next.Input))
}
