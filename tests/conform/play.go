package conform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tikvx/tikvx/ports"
)

// Played is what came of a script on a target.
type Played struct {
	// Commands were answered; Explained are differences for which the script has the
	// reason.
	Commands, Explained int
	// Lacking is the command that the target lacks and at which the script ended, or
	// "end".
	Lacking string
	// Wrong are the answers that were not expected, and mistakes of the script.
	Wrong []string
}

// Lacking is what a target lacks, by command, as [Script.Probe] found it.
type Lacking map[string]bool

// Play plays a script on a target.
func (s *Script) Play(target *Target, lacking Lacking) Played {
	p := player{script: s, target: target, lacking: lacking}
	p.play()
	return p.played
}

// Probe plays the commands that the script says a target lacks, and returns them.
func (s *Script) Probe(target *Target) (Lacking, Played) {
	lacking := Lacking{}
	for i := range s.steps {
		if s.steps[i].on == target.Name {
			lacking[s.steps[i].command] = true
		}
	}
	p := player{script: s, target: target, probing: true}
	p.play()
	return lacking, p.played
}

// player plays one script.
type player struct {
	script  *Script
	target  *Target
	lacking Lacking
	// probing says that the script is of what targets lack.
	probing bool
	pending map[string]*pending
	played  Played
}

func (p *player) play() {
	s := p.script
	p.pending = map[string]*pending{}
	for i := range s.steps {
		at := &s.steps[i]
		mine := at.on == "" || at.on == p.target.Name
		if mine && at.command == "end" {
			p.played.Explained++
		}
		if mine && (p.lacking[at.command] || at.command == "end") {
			p.played.Lacking = at.command
			break
		}
		p.step(&s.steps[i], i)
	}
	if p.played.Lacking == "" && len(p.pending) > 0 {
		p.wrong(&s.steps[len(s.steps)-1], "%d commands were not awaited", len(p.pending))
	}
}

func (p *player) wrong(s *step, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	p.played.Wrong = append(p.played.Wrong,
		fmt.Sprintf("%s:%d: %s on %s: %s", p.script.path, s.line, s.command, p.target.Name, what))
}

func (p *player) step(s *step, i int) {
	if s.on != "" && s.on != p.target.Name {
		return
	}
	if s.on != "" && !p.mayMend(i) {
		p.wrong(s, "a command of this target alone follows no difference of it")
		return
	}
	answer, err := p.answer(s)
	if err != nil {
		p.wrong(s, "%v", err)
		return
	}
	p.played.Commands++
	expected, explained := s.expectedOn(p.target.Name)
	if explained || s.on != "" {
		p.played.Explained++
	}
	switch {
	case answer == expected:
	case explained && answer == s.expected:
		p.wrong(s, "the difference is gone: it answers what is expected of all:\n%s", answer)
	default:
		p.wrong(s, "answer\n%sexpected\n%s", answer, expected)
	}
}

// mayMend reports whether a command that plays on this target alone follows a
// difference of it, or another such command, or is a probe of what is lacking.
func (p *player) mayMend(i int) bool {
	if p.probing || i == 0 {
		return p.probing
	}
	before := &p.script.steps[i-1]
	_, differs := before.expectedOn(p.target.Name)
	return differs || before.on == p.target.Name
}

// answer plays one command and returns the answer as scripts expect it.
func (p *player) answer(s *step) (string, error) {
	a := args{list: s.args, input: s.input, prefix: "conform/" + p.script.Name + "/"}
	if s.command == "await" {
		return p.await(&a)
	}
	build, ok := command(s.command)
	if !ok {
		return "", fmt.Errorf("no such command")
	}
	first, req := build(&a)
	how := a.sending()
	if a.err != nil {
		return "", a.err
	}
	sent := p.target.send(first, how, req)
	if name := a.text("as"); name != "" {
		p.pending[name] = sent
		return "sent\n", nil
	}
	return p.format(sent, &a), nil
}

func (p *player) await(a *args) (string, error) {
	if len(a.list) == 0 || p.pending[a.list[0].Key] == nil {
		return "", fmt.Errorf("nothing to await")
	}
	name := a.list[0].Key
	sent := p.pending[name]
	delete(p.pending, name)
	return p.format(sent, a), nil
}

func (p *player) format(sent *pending, a *args) string {
	reply, err := sent.receive()
	if err != nil {
		return err.Error() + "\n"
	}
	if scan, ok := reply.(*ports.ScanLockReply); ok {
		// Some stores scan whole regions, in which the locks of other scripts lie.
		scan.Locks = slices.DeleteFunc(scan.Locks, func(l ports.Lock) bool {
			return !strings.HasPrefix(string(l.Key), a.prefix)
		})
	}
	return strings.ReplaceAll(format(reply), a.prefix, "")
}
