package sim

// Script adds rules that make chosen things go wrong, whatever the chooser says; one rule a line:
//
//	lose-reply verb=Commit primary nth=1
//	lose-request verb=Prewrite store=2
//	crash store=2 after=Prewrite nth=3
//	busy verb=Get times=5
//
// A line is an action followed by conditions, which all must hold; an error names the line that makes no sense.
func (w *World) Script(text string) error { return nil }
