package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// goList describes packages and everything that they depend on.
func goList(dir string, args ...string) (graph, error) {
	const fields = "-json=ImportPath,Dir,Standard,Module,Imports,Export," +
		"GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,IgnoredGoFiles"
	cmd := exec.Command("go", append([]string{"list", "-e", fields}, args...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.Bytes())
	}
	g := graph{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		n := new(node)
		switch err := d.Decode(n); {
		case errors.Is(err, io.EOF):
			return g, nil
		case err != nil:
			return nil, err
		}
		g[n.ImportPath] = n
	}
}

// exportData returns the file with the export data of each package that is named.
func exportData(dir string, importPaths []string) (map[string]string, error) {
	g, err := goList(dir, append([]string{"-export"}, importPaths...)...)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for path, n := range g {
		exports[path] = n.Export
	}
	return exports, nil
}

// foreignImports are the import paths in a tree, tests excepted, that the tree itself does not hold.
func foreignImports(pkgs map[string]*pkg) []string {
	set := map[string]bool{}
	for _, p := range pkgs {
		for _, f := range p.files {
			for _, spec := range f.ast.Imports {
				path := strings.Trim(spec.Path.Value, "\"`")
				if own, ok := ownPath(path); (!ok || pkgs[own] == nil) && path != "unsafe" {
					set[path] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// readTree reads every Go file below top but for test data, output, and the modules nested in it. Each file is read
// here, by this process, so that the test cache knows what the verdict rests on.
func readTree(top string) (map[string][]byte, error) {
	sources := map[string][]byte{}
	return sources, filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped(d.Name()) && rel != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") {
			sources[filepath.ToSlash(rel)], err = os.ReadFile(name)
		}
		return err
	})
}

func skipped(dir string) bool {
	return dir == "testdata" || dir == "out" || dir == "bin" || strings.HasPrefix(dir, ".")
}

// ours splits the sources of a tree into those of the module's packages as `go list` sees them and the others: nested
// modules, and files that a build constraint excludes.
func ours(top string, g graph, sources map[string][]byte) (in, others map[string][]byte) {
	in, others = map[string][]byte{}, maps.Clone(sources)
	for path, n := range g {
		own, ok := ownPath(path)
		if !ok {
			continue
		}
		for _, name := range slices.Concat(n.GoFiles, n.CgoFiles, n.TestGoFiles, n.XTestGoFiles) {
			rel := filepath.ToSlash(filepath.Join(own, name))
			in[rel] = sources[rel]
			delete(others, rel)
		}
	}
	return in, others
}
