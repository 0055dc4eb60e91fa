package tracekit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// Programs that end: each is this test binary, started anew with TRACEKIT_TEST_PROGRAM set.
var programs = map[string]func(*SDK){
	// As docs/sdk/go.md has it.
	"waits for SIGTERM": func(sdk *SDK) {
		stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
		defer cancel()
		endSpans(sdk, 5)
		fmt.Println("ready")
		<-stop.Done()
		ctx, cancelShutdown := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancelShutdown()
		if err := sdk.Shutdown(ctx); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	},
	"knows no SIGTERM": func(sdk *SDK) {
		endSpans(sdk, 5)
		fmt.Println("ready")
		select {}
	},
	"exits": func(sdk *SDK) {
		endSpans(sdk, batchSpans) // the exporter is at work
		os.Exit(3)
	},
	"returns": func(sdk *SDK) { endSpans(sdk, batchSpans) },
	"panics": func(sdk *SDK) {
		ctx, span := sdk.StartSpan(context.Background(), "open")
		defer span.End()
		sdk.CaptureExceptionContext(ctx, errors.New("before"))
		panic("the program's own")
	},
}

func TestMain(m *testing.M) {
	run, ok := programs[os.Getenv("TRACEKIT_TEST_PROGRAM")]
	if !ok {
		os.Exit(m.Run())
	}
	sdk, err := NewSDK(Config{APIKey: "k", ServiceName: "program"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	run(sdk)
}

// program starts one, which has a minute: none takes a second.
func program(t *testing.T, name, endpoint string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env = append(os.Environ(), "TRACEKIT_TEST_PROGRAM="+name, "TRACEKIT_ENDPOINT="+endpoint)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return command, bufio.NewScanner(out)
}

func TestSIGTERMSendsWhatIsQueuedAsTheDocumentationSays(t *testing.T) {
	server := newCollector(t)
	command, out := program(t, "waits for SIGTERM", server.URL)
	if !out.Scan() || out.Text() != "ready" {
		t.Fatalf("said %q", out.Text())
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil || len(server.Spans()) != 5 {
		t.Errorf("%v, %d spans", err, len(server.Spans()))
	}
}

func TestSIGTERMEndsAProgramThatDoesNotHandleIt(t *testing.T) {
	url, _ := stuckServer(t)
	command, out := program(t, "knows no SIGTERM", url)
	if !out.Scan() || out.Text() != "ready" {
		t.Fatalf("said %q", out.Text())
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	status := command.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", command.ProcessState)
	}
}

func TestNoEndOfTheProgramWaitsForTheServer(t *testing.T) {
	for name, want := range map[string]int{"exits": 3, "returns": 0, "panics": 2} {
		url, _ := stuckServer(t)
		command, out := program(t, name, url)
		for out.Scan() {
		}
		_ = command.Wait()
		if got := command.ProcessState.ExitCode(); got != want {
			t.Errorf("a program that %s ended with %v", name, command.ProcessState)
		}
	}
}
