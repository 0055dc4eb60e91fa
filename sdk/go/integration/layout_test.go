package integration

import (
	"os"
	"os/exec"
	"path/filepath"
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

// What a go.mod or an internal package leaves out is missed where another module looks for it.
func TestAnEmptyModuleBuildsAProgramWithoutANetwork(t *testing.T) {
	sdk, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module empty\n\ngo 1.21\n\nrequire github.com/Tracekit-Dev/go-sdk v0.1.0\n\n" +
			"replace github.com/Tracekit-Dev/go-sdk => " + sdk + "\n",
		"main.go": `package main

import (
	"context"
	"fmt"

	"github.com/Tracekit-Dev/go-sdk/tracekit"
)

func main() {
	sdk, err := tracekit.NewSDK(tracekit.Config{ServiceName: "empty", APIKey: "k", Endpoint: "http://127.0.0.1:1"})
	if err != nil {
		panic(err)
	}
	_, span := sdk.StartSpan(context.Background(), "installed")
	fmt.Print(len(span.TraceID()))
}
`} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := exec.Command("go", "run", "-tags", "tracekit_nogin,tracekit_noecho", ".")
	program.Dir = folder
	program.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local")
	if out, err := program.CombinedOutput(); err != nil || string(out) != "32" {
		t.Fatalf("%v\n%s", err, out)
	}
}
