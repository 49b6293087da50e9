// SPDX-License-Identifier: Apache-2.0

// Package store owns a data directory: the commit log, the consume queues, the
// key index, the checkpoint.
package store

import (
	"context"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

const unitBytes = 20

// Host is what the store knows about the process it runs in.
type Host struct {
	PID int
}

// Deps are the store's surroundings. OnArrive is called outside the append
// lock, on the appender's goroutine, for every appended message that entered a
// queue; it must not block.
type Deps struct {
	FS       vfs.FS
	Clock    clockwork.Clock
	Log      zerolog.Logger
	Metrics  prometheus.Registerer
	Host     Host
	OnArrive func(a Arrival)
}

// Arrival is one message that can now be read.
type Arrival struct {
	Topic            string
	QueueID          int32
	QueueOffset      int64
	TagsCode         int64
	PhyOffset        int64
	StoreTimestampMs int64
}

// Receipt says where a message went. EndOffset is what AwaitFlush wants.
type Receipt struct {
	PhyOffset, EndOffset, QueueOffset, StoreTimestampMs int64
	Size                                                int32
}

// GetStatus is the outcome of a Get.
type GetStatus int

const (
	Found GetStatus = iota
	NoMatchedMessage
	MessageWasRemoving
	OffsetFoundNull
	OffsetOverflowBadly
	OffsetOverflowOne
	OffsetTooSmall
	NoMatchedLogicQueue
	NoMessageInQueue
)

// GetRequest asks for messages of one queue.
type GetRequest struct {
	Topic       string
	QueueID     int32
	Offset      int64
	MaxMsgs     int
	MaxBytes    int
	MatchTags   func(tagsCode int64) bool // nil: all
	MatchRecord func(rec []byte) bool     // nil: all
}

// Batch is the answer of a Get: the records as slices of the mapped log.
type Batch struct {
	Status                           GetStatus
	NextOffset, MinOffset, MaxOffset int64
	Count                            int
	Bytes                            int
	LastPhyOffset                    int64
}

// Marks are the log's positions: Appended >= Flushed, Confirmed; readers see
// what is below Readable.
type Marks struct {
	Min, Appended, Flushed, Confirmed, Readable int64
}

type Store struct{}

func Open(cfg Config, deps Deps) (*Store, error)                                  { panic("unwritten") }
func (s *Store) Run(ctx context.Context) error                                    { panic("unwritten") }
func (s *Store) Close() error                                                     { panic("unwritten") }
func (s *Store) Put(m *message.Message) (Receipt, error)                          { panic("unwritten") }
func (s *Store) PutBatch(ms []message.Message) ([]Receipt, error)                 { panic("unwritten") }
func (s *Store) AwaitFlush(ctx context.Context, endOffset int64) error            { panic("unwritten") }
func (s GetStatus) String() string                                                { panic("unwritten") }
func (b *Batch) Buffers() [][]byte                                                { panic("unwritten") }
func (b *Batch) Release()                                                         { panic("unwritten") }
func (s *Store) Get(r GetRequest) (*Batch, error)                                 { panic("unwritten") }
func (s *Store) QueueRange(topic string, queueID int32) (min, max int64, ok bool) { panic("unwritten") }
func (s *Store) Queues(topic string) []int32                                      { panic("unwritten") }
func (s *Store) Topics() []string                                                 { panic("unwritten") }
func (s *Store) OffsetByTime(topic string, queueID int32, tsMs int64, upper bool) (int64, error) {
	panic("unwritten")
}
func (s *Store) StoreTime(topic string, queueID int32, offset int64) (int64, bool) {
	panic("unwritten")
}
func (s *Store) TagsCodeAt(topic string, queueID int32, offset int64) (phyOffset int64, size int32, tagsCode int64, ok bool) {
	panic("unwritten")
}
func (s *Store) Message(phyOffset int64) (*message.Message, error) { panic("unwritten") }
func (s *Store) Record(phyOffset int64) ([]byte, error)            { panic("unwritten") }
func (s *Store) QueryIndex(topic, key string, maxNum int, beginMs, endMs int64) (phyOffsets []int64, lastUpdateMs, lastUpdatePhyOffset int64, err error) {
	panic("unwritten")
}
func (s *Store) DeleteTopic(topic string) error            { panic("unwritten") }
func (s *Store) Marks() Marks                              { panic("unwritten") }
func (s *Store) AppendRaw(phyOffset int64, b []byte) error { panic("unwritten") }
func (s *Store) TruncateTo(phyOffset int64) error          { panic("unwritten") }
func (s *Store) InMemory(phyOffset int64) bool             { panic("unwritten") }
func (s *Store) DispatchBehind() int64                     { panic("unwritten") }

// Stats is what the runtime information of a broker shows of its store.
type Stats struct {
	StartMs, EarliestStoreMs int64
	PutCount, PutBytes       int64
	GetFound, GetMiss        int64
	GetMessages              int64
	CommitLogUsedRatio       float64
}

func (s *Store) Stats() Stats { panic("unwritten") }
