package smtest

import (
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/tikvx/tikvx/core/sm"
)

// TB is the part of testing.TB that Contract needs.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Contract checks that a clone of m shares nothing with it and that m's
// fingerprint covers every field: whichever field of a clone is changed, the
// fingerprint of the original stays and that of the clone moves. m should hold
// something in as many fields as possible; what is behind a nil pointer or an
// empty slice cannot be checked.
func Contract[T any, P sm.Cloneable[T]](t TB, m P) {
	t.Helper()
	before := sum(m)
	var pristine T
	m.CloneInto(&pristine)
	if sum(P(&pristine)) != before {
		t.Errorf("%T: the clone's fingerprint differs from the original's", m)
		return
	}
	for _, fault := range aliases(reflect.ValueOf(m).Elem(), reflect.ValueOf(&pristine).Elem(), "") {
		t.Errorf("%T: %s", m, fault)
	}
	checked := 0
	for i := 0; ; i++ {
		var clone T
		m.CloneInto(&clone)
		w := walker{target: i}
		w.visit(reflect.ValueOf(&clone).Elem(), "")
		if len(w.faults) > 0 {
			t.Errorf("%T: %s", m, strings.Join(w.faults, "; "))
			return
		}
		if w.changed == "" {
			break
		}
		checked++
		if sum(m) != before {
			t.Errorf("%T: a change of the clone's %s shows in the original", m, w.changed)
			return
		}
		if sum(P(&clone)) == before {
			t.Errorf("%T: the fingerprint does not cover %s", m, w.changed)
		}
	}
	if checked == 0 && reflect.TypeFor[T]().Size() > 0 {
		t.Errorf("%T: nothing to check", m)
	}
}

func sum(m sm.Machine) uint64 {
	h := sm.NewHash()
	h.Raw = true
	m.Fingerprint(h)
	return h.Sum()
}

// walker visits every place in a value that can be changed, in a fixed order, and
// changes the one that is numbered target.
type walker struct {
	target, n int
	changed   string
	faults    []string
}

// here counts a place and reports whether it is the target.
func (w *walker) here(path string) bool {
	hit := w.n == w.target
	if hit {
		w.changed = path
	}
	w.n++
	return hit
}

func (w *walker) visit(v reflect.Value, path string) {
	v = writable(v)
	switch v.Kind() {
	case reflect.Bool:
		if w.here(path) {
			v.SetBool(!v.Bool())
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if w.here(path) {
			v.SetInt(v.Int() ^ 1)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if w.here(path) {
			v.SetUint(v.Uint() ^ 1)
		}
	case reflect.Float32, reflect.Float64:
		if w.here(path) {
			v.SetFloat(v.Float() + 1)
		}
	case reflect.String:
		if w.here(path) {
			v.SetString(v.String() + "'")
		}
	case reflect.Array:
		for i := range v.Len() {
			w.visit(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Struct:
		w.visitStruct(v, path)
	case reflect.Slice:
		w.visitSlice(v, path)
	case reflect.Pointer:
		w.visitPointer(v, path)
	case reflect.Map:
		w.visitMap(v, path)
	default:
		w.faults = append(w.faults, fmt.Sprintf("%s of kind %s: tag it", path, v.Kind()))
	}
}

func (w *walker) visitStruct(v reflect.Value, path string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Name == "_" {
			continue
		}
		switch f.Tag.Get("fp") {
		case "-":
			continue
		case "shared":
			field := writable(v.Field(i))
			field.Set(deepCopy(field))
		}
		w.visit(v.Field(i), path+"."+f.Name)
	}
}

func (w *walker) visitSlice(v reflect.Value, path string) {
	if w.here(path + " (one element more)") {
		grown := reflect.MakeSlice(v.Type(), v.Len(), v.Len()+1)
		reflect.Copy(grown, v)
		v.Set(grown.Slice(0, v.Len()+1))
		return
	}
	if v.Len() > 0 && w.here(path+" (one element less)") {
		v.Set(v.Slice(0, v.Len()-1))
		return
	}
	for i := range v.Len() {
		w.visit(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

func (w *walker) visitPointer(v reflect.Value, path string) {
	if v.IsNil() {
		if w.here(path + " (set)") {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return
	}
	if w.here(path + " (nil)") {
		v.SetZero()
		return
	}
	w.visit(v.Elem(), path)
}

func (w *walker) visitMap(v reflect.Value, path string) {
	if w.here(path + " (one entry more)") {
		k := reflect.New(v.Type().Key()).Elem()
		for n := int64(1); v.MapIndex(k).IsValid(); n++ {
			switch {
			case k.CanInt():
				k.SetInt(n)
			case k.CanUint():
				k.SetUint(uint64(n))
			case k.Kind() == reflect.String:
				k.SetString(fmt.Sprint(n))
			}
		}
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		v.SetMapIndex(k, reflect.Zero(v.Type().Elem()))
		return
	}
	if v.Len() == 0 {
		return
	}
	iter := v.MapRange()
	iter.Next()
	if w.here(path + " (one entry less)") {
		v.SetMapIndex(iter.Key(), reflect.Value{})
		return
	}
	elem := reflect.New(v.Type().Elem()).Elem()
	elem.Set(iter.Value())
	w.visit(elem, path+"[…]")
	v.SetMapIndex(iter.Key(), elem)
}

// writable returns v such that it can be set even when its field is unexported.
func writable(v reflect.Value) reflect.Value {
	if v.CanSet() || !v.CanAddr() {
		return v
	}
	return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
}

// deepCopy copies everything that v reaches.
func deepCopy(v reflect.Value) reflect.Value {
	dst := reflect.New(v.Type()).Elem()
	dst.Set(v)
	deepen(dst)
	return dst
}

// deepen replaces what v shares with others by copies.
func deepen(v reflect.Value) {
	v = writable(v)
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			deepen(v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			deepen(v.Index(i))
		}
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(fresh, v)
		for i := range fresh.Len() {
			deepen(fresh.Index(i))
		}
		v.Set(fresh)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if v.Kind() == reflect.Interface && v.Elem().Kind() != reflect.Pointer {
			return
		}
		from := v.Elem()
		if v.Kind() == reflect.Interface {
			from = from.Elem()
		}
		fresh := reflect.New(from.Type())
		fresh.Elem().Set(from)
		deepen(fresh.Elem())
		v.Set(fresh)
	case reflect.Map:
		if v.IsNil() {
			return
		}
		fresh := reflect.MakeMap(v.Type())
		for iter := v.MapRange(); iter.Next(); {
			fresh.SetMapIndex(iter.Key(), deepCopy(iter.Value()))
		}
		v.Set(fresh)
	}
}

// aliases lists the memory that a clone shares with its original. Contract would
// see most of it by changing things; shared spare capacity and empty slices it
// would not.
func aliases(a, b reflect.Value, path string) []string {
	a, b = writable(a), writable(b)
	var faults []string
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			f := a.Type().Field(i)
			if tag := f.Tag.Get("fp"); tag != "-" && tag != "shared" {
				faults = append(faults, aliases(a.Field(i), b.Field(i), path+"."+f.Name)...)
			}
		}
	case reflect.Array:
		for i := range a.Len() {
			faults = append(faults, aliases(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
	case reflect.Slice:
		if a.Cap() > 0 && b.Cap() > 0 && a.Type().Elem().Size() > 0 && a.Pointer() == b.Pointer() {
			return []string{"the clone shares the memory of " + path}
		}
		for i := range min(a.Len(), b.Len()) {
			faults = append(faults, aliases(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
	case reflect.Pointer, reflect.Map:
		if !a.IsNil() && a.Pointer() == b.Pointer() {
			return []string{"the clone shares the memory of " + path}
		}
		if a.Kind() == reflect.Pointer && !a.IsNil() && !b.IsNil() {
			return aliases(a.Elem(), b.Elem(), path)
		}
	}
	return faults
}
