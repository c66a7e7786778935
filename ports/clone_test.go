package ports_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// fill sets every field that v reaches, lists to one element, down to a depth.
func fill(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth)
		}
	case reflect.Slice:
		if depth > 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), depth-1)
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("text")
	default:
		v.Set(reflect.ValueOf(7).Convert(v.Type()))
	}
}

// wipe sets every element of every list that v reaches to zero.
func wipe(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			wipe(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			wipe(v.Index(i))
			v.Index(i).SetZero()
		}
	default:
	}
}

func TestClonesShareNothing(t *testing.T) {
	var want, e ports.KeyError
	fill(reflect.ValueOf(&want).Elem(), 3)
	fill(reflect.ValueOf(&e).Elem(), 3)
	require.NotEmpty(t, e.Lock.Shared[0].Secondaries[0])
	clone := e.Clone()
	wipe(reflect.ValueOf(&e).Elem())
	require.Equal(t, &want, clone)
	require.NotEqual(t, want, e)
}
