package integration

import (
	"os/exec"
	"strings"
	"testing"
)

const tracekitPackage = "github.com/Tracekit-Dev/go-sdk/tracekit"

// GinMiddleware is a method, so the package of *SDK imports Gin; who does without says so.
func TestAProgramWithoutGinAndEchoNeedNotCompileThem(t *testing.T) {
	const tags = "tracekit_nogin,tracekit_noecho"
	list := exec.Command("go", "list", "-deps", "-tags", tags, tracekitPackage)
	out, err := list.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range strings.Fields(string(out)) {
		if name, _, _ := strings.Cut(line, "/"); strings.Contains(name, ".") &&
			!strings.HasPrefix(line, "github.com/Tracekit-Dev/") {
			t.Errorf("%s is still compiled", line)
		}
	}
	if out, err := exec.Command("go", "build", "-tags", tags, tracekitPackage).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
