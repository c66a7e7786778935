package arch

import (
	"go/ast"
	"go/types"
	"slices"
)

// loud names what writes to the process's output, ends the process, or uses a logger that belongs to nobody.
var loud = map[string][]string{
	"fmt":           {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
	"os":            {"Stdout", "Stderr", "Stdin", "Exit"},
	"syscall":       {"Exit", "Stdout", "Stderr"},
	"runtime/debug": {"PrintStack"},
	"log/slog": {"Default", "SetDefault", "SetLogLoggerLevel", "With", "Log", "LogAttrs", "Debug", "Info", "Warn",
		"Error", "DebugContext", "InfoContext", "WarnContext", "ErrorContext"},
	pingcapLog: {"Debug", "Info", "Warn", "Error", "Panic", "Fatal", "With", "L", "S"},
	zap:        {"L", "S", "ReplaceGlobals"},
}

// checkQuiet rejects output and exits in the library: a client is silent but for the logger that it was given.
func checkQuiet(p *pkg) []fault {
	if p.layer == nil || !p.layer.library {
		return nil
	}
	var faults []fault
	for _, f := range p.files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			switch obj := p.info.Uses[id].(type) {
			case *types.Builtin:
				if obj.Name() == "print" || obj.Name() == "println" {
					faults = append(faults, p.at(n, "builtin %s", obj.Name()))
				}
			case *types.Func, *types.Var:
				if obj.Pkg() != nil && obj.Parent() == obj.Pkg().Scope() &&
					slices.Contains(loud[obj.Pkg().Path()], obj.Name()) {
					faults = append(faults, p.at(n, "%s.%s in the library", obj.Pkg().Path(), obj.Name()))
				}
			}
			return true
		})
	}
	return faults
}
