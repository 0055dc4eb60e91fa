package tracekit

import (
	"fmt"
	"reflect"
)

// maxPrinted bounds what is printed of one value: fmt itself has no bound, and never ends with
// a struct whose slices or maps lead back to themselves.
const (
	maxPrintedDepth  = 32
	maxPrintedValues = 10000
)

// printed is what fmt prints of a value: its own Error or String, whose panics fmt catches, or
// its contents. A value that goes in circles, or is vast, is only said to be of its type.
func printed(value any) string {
	switch value.(type) {
	case error, fmt.Stringer, fmt.Formatter:
	default:
		left := maxPrintedValues
		if !printable(reflect.ValueOf(value), 0, &left) {
			return fmt.Sprintf("%T", value)
		}
	}
	return fmt.Sprint(value)
}

// printable walks as fmt does: through a pointer at the top only.
func printable(v reflect.Value, depth int, left *int) bool {
	if *left--; *left < 0 || depth > maxPrintedDepth {
		return false
	}
	switch v.Kind() {
	case reflect.Pointer:
		return depth > 0 || printable(v.Elem(), depth+1, left)
	case reflect.Interface:
		return printable(v.Elem(), depth+1, left)
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			if !printable(v.Field(i), depth+1, left) {
				return false
			}
		}
	case reflect.Slice, reflect.Array:
		if kind := v.Type().Elem().Kind(); kind <= reflect.Complex128 {
			*left -= v.Len() / 8 // numbers lead nowhere
			return *left >= 0
		}
		for i := 0; i < v.Len(); i++ {
			if !printable(v.Index(i), depth+1, left) {
				return false
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if !printable(entries.Key(), depth+1, left) || !printable(entries.Value(), depth+1, left) {
				return false
			}
		}
	case reflect.String:
		*left -= v.Len() / 64
		return *left >= 0
	}
	return true
}
