package parity

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// catalog finds what the ledger names in the sources below a folder.
type catalog struct {
	top     string
	folders map[string]*sources
}

// sources is what the tests of one folder declare.
type sources struct {
	// tests are the names of tests, plays the folders of scripts that some of them play.
	tests map[string]bool
	plays map[string]string
	// texts are all string literals, of which cases have their names.
	texts map[string]bool
}

func newCatalog(top string) *catalog { return &catalog{top: top, folders: map[string]*sources{}} }

// nameForm is how the ledger names things: folder, test, and what belongs to it.
var nameForm = regexp.MustCompile(`^\./([\w/-]*)\.((?:Test|Fuzz|Example|Benchmark)\w*)(?:/([^#]+))?(?:#(.+))?$`)

// find says what is wrong with a name, or nothing.
func (c *catalog) find(name string) string {
	m := nameForm.FindStringSubmatch(name)
	if m == nil {
		return fmt.Sprintf("%q names nothing", name)
	}
	folder, test, part, opening := path.Clean(m[1]), m[2], m[3], m[4]
	s, err := c.folder(folder)
	switch {
	case err != nil:
		return err.Error()
	case !s.tests[test]:
		return fmt.Sprintf("./%s.%s does not exist", folder, test)
	case s.plays[test] != "":
		return findConversation(name, filepath.Join(c.top, folder, s.plays[test], part), opening)
	case opening != "":
		return name + ": the test plays no scripts"
	case part != "" && !s.texts[part] && !c.sharedCase(part):
		return name + ": no such case"
	}
	return ""
}

// sharedCase tells whether the contract suite of ports, which every adapter plays, has a case of that name.
func (c *catalog) sharedCase(name string) bool {
	s, err := c.folder("ports/porttest")
	return err == nil && s.texts[name]
}

// findConversation looks for a conversation by the beginning of the comment above it.
func findConversation(name, script, opening string) string {
	if opening == "" {
		return name + " plays scripts: name a conversation"
	}
	text, err := os.ReadFile(script)
	if err != nil {
		return name + ": no such script"
	}
	n := 0
	for _, c := range comments(string(text)) {
		if strings.HasPrefix(c, opening) {
			n++
		}
	}
	if n != 1 {
		return fmt.Sprintf("%s: %d conversations begin so", name, n)
	}
	return ""
}

// comments returns the comments of a script, each joined into one line.
func comments(script string) []string {
	var all []string
	open := false
	for line := range strings.Lines(script) {
		words, is := strings.CutPrefix(strings.TrimSpace(line), "# ")
		switch {
		case is && open:
			all[len(all)-1] += " " + words
		case is:
			all = append(all, words)
		}
		open = is
	}
	return all
}

// folder reads the tests of a folder; one that is not there declares none.
func (c *catalog) folder(name string) (*sources, error) {
	if s := c.folders[name]; s != nil {
		return s, nil
	}
	s := &sources{tests: map[string]bool{}, plays: map[string]string{}, texts: map[string]bool{}}
	pattern := "*_test.go"
	if name == "ports/porttest" {
		pattern = "*.go"
	}
	files, err := filepath.Glob(filepath.Join(c.top, name, pattern))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		s.read(parsed)
	}
	c.folders[name] = s
	return s, nil
}

var testName = regexp.MustCompile(`^(Test|Fuzz|Example|Benchmark)([^a-z]|$)`)

// read notes what one file declares.
func (s *sources) read(file *ast.File) {
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if ok && fn.Recv == nil && testName.MatchString(fn.Name.Name) {
			s.tests[fn.Name.Name] = true
			s.plays[fn.Name.Name] = scriptsOf(fn)
		}
	}
	literals(file, func(text string) { s.texts[text] = true })
}

// scriptsOf returns the folder of scripts that a test names, "" if it names none.
func scriptsOf(fn *ast.FuncDecl) (folder string) {
	literals(fn, func(text string) {
		if (text == "testdata" || strings.HasPrefix(text, "testdata/")) && path.Ext(text) == "" {
			folder = text
		}
	})
	return folder
}

// literals calls f with every string literal of a part of a program.
func literals(part ast.Node, f func(text string)) {
	ast.Inspect(part, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				f(text)
			}
		}
		return true
	})
}
