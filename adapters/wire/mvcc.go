package wire

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"github.com/tikvx/tikvx/ports"
)

func mvccInfoToProto(info *ports.MvccInfo) *kvrpcpb.MvccInfo {
	m := &kvrpcpb.MvccInfo{}
	if l := info.Lock; l != nil {
		m.Lock = &kvrpcpb.MvccLock{
			Type: kvrpcpb.Op(l.Kind), StartTs: uint64(l.StartTS), Primary: l.Primary, ShortValue: l.ShortValue, Ttl: l.TTL,
			ForUpdateTs: uint64(l.ForUpdateTS), TxnSize: l.TxnSize, UseAsyncCommit: l.UseAsyncCommit,
			Secondaries: l.Secondaries, RollbackTs: appendTimestamps(nil, l.Rollbacks),
			LastChangeTs: uint64(l.LastChangeTS), VersionsToLastChange: l.VersionsToLastChange,
		}
	}
	for i := range info.Writes {
		w := &info.Writes[i]
		m.Writes = append(m.Writes, &kvrpcpb.MvccWrite{
			Type: kvrpcpb.Op(w.Kind), StartTs: uint64(w.StartTS), CommitTs: uint64(w.CommitTS), ShortValue: w.ShortValue,
			HasOverlappedRollback: w.HasOverlappedRollback, HasGcFence: w.HasGCFence, GcFence: uint64(w.GCFence),
			LastChangeTs: uint64(w.LastChangeTS), VersionsToLastChange: w.VersionsToLastChange,
		})
	}
	for i := range info.Values {
		v := &info.Values[i]
		m.Values = append(m.Values, &kvrpcpb.MvccValue{StartTs: uint64(v.StartTS), Value: v.Value})
	}
	return m
}

func mvccInfoFromProto(m *kvrpcpb.MvccInfo) ports.MvccInfo {
	var info ports.MvccInfo
	if l := m.GetLock(); l != nil {
		info.Lock = &ports.MvccLock{
			Kind: kindFromProto(l.Type), StartTS: ports.Timestamp(l.StartTs), Primary: l.Primary,
			ShortValue: l.ShortValue, TTL: l.Ttl, ForUpdateTS: ports.Timestamp(l.ForUpdateTs), TxnSize: l.TxnSize,
			UseAsyncCommit: l.UseAsyncCommit, Secondaries: l.Secondaries, Rollbacks: timestampsFromProto(l.RollbackTs),
			LastChangeTS: ports.Timestamp(l.LastChangeTs), VersionsToLastChange: l.VersionsToLastChange,
		}
	}
	for _, w := range m.GetWrites() {
		info.Writes = append(info.Writes, ports.MvccWrite{
			Kind: kindFromProto(w.GetType()), StartTS: ports.Timestamp(w.GetStartTs()),
			CommitTS: ports.Timestamp(w.GetCommitTs()), ShortValue: w.GetShortValue(),
			HasOverlappedRollback: w.GetHasOverlappedRollback(), HasGCFence: w.GetHasGcFence(),
			GCFence: ports.Timestamp(w.GetGcFence()), LastChangeTS: ports.Timestamp(w.GetLastChangeTs()),
			VersionsToLastChange: w.GetVersionsToLastChange(),
		})
	}
	for _, v := range m.GetValues() {
		info.Values = append(info.Values, ports.MvccValue{StartTS: ports.Timestamp(v.GetStartTs()), Value: v.GetValue()})
	}
	return info
}

func timestampsFromProto(list []uint64) []ports.Timestamp {
	var out []ports.Timestamp
	for _, ts := range list {
		out = append(out, ports.Timestamp(ts))
	}
	return out
}
