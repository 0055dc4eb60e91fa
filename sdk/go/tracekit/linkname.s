// The linker lets a Go declaration have no body only in a package with an assembly file.
