//go:build race

package tracekit

const raceDetector = true
