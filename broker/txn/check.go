// SPDX-License-Identifier: Apache-2.0

// check.go: the rounds in which producers are asked that have not decided. A round walks over each half queue from where
// the last one stopped. A message that is decided is passed; one that is too young ends the round; any other is stored
// again at the queue's end and its producer is asked about that copy, so that the queue's beginning moves on. After so
// many questions, or when it is as old as the log may become, it goes to TRANS_CHECK_MAX_TIME_TOPIC.
// Java: TransactionalMessageServiceImpl.check, DefaultTransactionalMessageCheckListener.
package txn

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/internal/run"
	"rocketd/protocol/message"
	"rocketd/store"
)

const (
	firstCheck = 1                // what TRANSACTION_CHECK_TIMES says after the first question
	maxRound   = 60 * time.Second // of one queue; the next round goes on
)

// Log is what transactions need of the store.
type Log interface {
	QueueRange(topic string, queueID int32) (min, max int64, ok bool)
	Queues(topic string) []int32
	TagsCodeAt(topic string, queueID int32, offset int64) (phyOffset int64, size int32, tagsCode int64, ok bool)
	Message(phyOffset int64) (*message.Message, error)
	Put(m *message.Message) (store.Receipt, error)
	Marks() store.Marks
	AwaitFlush(ctx context.Context, endOffset int64) error
}

// Offsets remembers how far the rounds are in the half queues and in the op queues, as those of the group
// CID_RMQ_SYS_TRANS.
type Offsets interface {
	Query(group, topic string, queueID int32) (int64, bool)
	Commit(group, topic string, queueID int32, offset int64)
}

// Limits are the settings, which may change while the broker runs.
type Limits struct {
	Timeout    time.Duration // how long after its birth a half message is left alone
	Every      time.Duration // from round to round
	MaxChecks  int
	MaxAge     time.Duration // as long as the log keeps a message
	OpMaxBytes int
	OpEvery    time.Duration // how long a decision may wait to be written down
}

// Deps is the world around the Service.
type Deps struct {
	Log     Log
	Offsets Offsets
	Limits  func() Limits
	Host    netip.AddrPort // who stores the records of the op topic
	// Ask asks a producer about a half message. It must not block.
	Ask func(half *message.Message)
	// Place sends a committed message where it waits, if it is one that does.
	Place func(m *message.Message)
	// GiveUp makes sure that TRANS_CHECK_MAX_TIME_TOPIC exists.
	GiveUp func() error
	Clock  clockwork.Clock
	Logger zerolog.Logger
}

// Service decides half messages, and has their producers asked.
type Service struct {
	log     Log
	offsets Offsets
	limits  func() Limits
	host    netip.AddrPort
	ask     func(half *message.Message)
	place   func(m *message.Message)
	giveUp  func() error
	clock   clockwork.Clock
	logger  zerolog.Logger

	// A decision holds it shared, the step from "not decided" to a question alone: no message is stored again that has just
	// been committed.
	deciding sync.RWMutex

	opsMu   sync.Mutex
	pending map[int32]*pendingOps
	wake    chan struct{} // holds one

	early early
}

// New returns a Service. Nothing runs before Run.
func New(d Deps) *Service {
	return &Service{
		log: d.Log, offsets: d.Offsets, limits: d.Limits, host: d.Host, ask: d.Ask, place: d.Place, giveUp: d.GiveUp, clock: d.Clock, logger: d.Logger,
		pending: map[int32]*pendingOps{}, wake: make(chan struct{}, 1), early: early{until: map[place]time.Time{}},
	}
}

func (s *Service) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Commit stores the message of a half message where consumers find it.
func (s *Service) Commit(half *message.Message) error {
	s.deciding.RLock()
	defer s.deciding.RUnlock()
	m, err := committed(half)
	if err != nil {
		return err
	}
	s.place(m)
	if _, err := s.log.Put(m); err != nil {
		return err
	}
	return s.decide(half)
}

// Rollback forgets a half message.
func (s *Service) Rollback(half *message.Message) error {
	s.deciding.RLock()
	defer s.deciding.RUnlock()
	return s.decide(half)
}

func (s *Service) decide(half *message.Message) error {
	if span, own := immunity(half, s.limits().Timeout); own {
		s.early.add(half, span)
	}
	return s.through(half)
}

// Resume has a message checked again that was given up.
func (s *Service) Resume(m *message.Message) error {
	back := m.Again(message.HalfTopic, 0)
	back.SetProperty(message.PropTransactionChecks, "0")
	_, err := s.log.Put(back)
	return err
}

// Run writes decisions down and has producers asked, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	g := run.NewGroup(ctx)
	g.Go(0, "transaction-ops", s.runOps)
	g.Go(0, "transaction-checks", s.runChecks)
	return g.Wait()
}

func (s *Service) runOps(ctx context.Context) error {
	for {
		wait, err := s.writeOps(ctx.Err() != nil)
		if err != nil {
			s.logger.Error().Err(err).Msg("decisions about half messages could not be written down, will be tried again")
		}
		if ctx.Err() != nil {
			return nil
		}
		if wait == 0 {
			wait = time.Hour // nothing waits, and what comes wakes
		}
		timer := s.clock.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.Chan():
		}
		timer.Stop()
	}
}

func (s *Service) runChecks(ctx context.Context) error {
	for {
		timer := s.clock.NewTimer(s.limits().Every)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.Chan():
		}
		for _, queueID := range s.log.Queues(message.HalfTopic) {
			if err := s.round(ctx, queueID); err != nil && ctx.Err() == nil {
				s.logger.Error().Err(err).Int32("queueId", queueID).Msg("half messages could not be checked, will be tried again")
			}
		}
	}
}

// round is one walk over a half queue. Its progress counts only when what it has stored is on the disk: a power loss must
// not take the copies of half messages whose originals are passed.
func (s *Service) round(ctx context.Context, queueID int32) error {
	began := s.clock.Now()
	s.early.forget(began)
	first, at := s.from(message.HalfTopic, queueID)
	firstOp, nextOp := s.from(message.OpHalfTopic, queueID)
	ops := &decided{s: s, queueID: queueID, next: nextOp, by: map[int64]int{}}
	var failure error
	for failure == nil && ctx.Err() == nil && s.clock.Since(began) < maxRound {
		low, high, _ := s.log.QueueRange(message.HalfTopic, queueID)
		if at = max(at, low); at >= high {
			break
		}
		var passed bool
		if passed, failure = s.step(ops, queueID, at, began); !passed {
			break
		}
		at++
	}
	op := ops.progress()
	if at == first && op == firstOp {
		return failure
	}
	if err := s.awaitFlush(ctx, s.log.Marks().Appended); err != nil {
		return errors.Join(failure, err)
	}
	if at != first {
		s.offsets.Commit(message.TransConsumerGroup, message.HalfTopic, queueID, at)
	}
	if op != firstOp {
		s.offsets.Commit(message.TransConsumerGroup, message.OpHalfTopic, queueID, op)
	}
	return failure
}

// awaitFlush waits as long as the disk takes. To give up would be to do the round again, with a further copy of each message.
func (s *Service) awaitFlush(ctx context.Context, endOffset int64) error {
	for {
		if err := s.log.AwaitFlush(ctx, endOffset); !errors.Is(err, store.ErrFlushTimeout) {
			return err
		}
		s.logger.Warn().Int64("endOffset", endOffset).Msg("the progress of half messages waits for a slow disk")
	}
}

// from is the progress in a queue as it is stored, and where to go on: within what the queue has.
func (s *Service) from(topic string, queueID int32) (stored, offset int64) {
	low, high, _ := s.log.QueueRange(topic, queueID)
	stored, ok := s.offsets.Query(message.TransConsumerGroup, topic, queueID)
	if !ok || stored < 0 {
		return low, low
	}
	return stored, min(max(stored, low), high)
}

// step deals with the half message at an offset. It says whether the round goes on behind it.
func (s *Service) step(ops *decided, queueID int32, at int64, began time.Time) (passed bool, err error) {
	if done, err := ops.take(at); done || err != nil {
		return done, err
	}
	phyOffset, _, _, ok := s.log.TagsCodeAt(message.HalfTopic, queueID, at)
	if !ok {
		return false, nil
	}
	half, err := s.log.Message(phyOffset)
	if errors.Is(err, store.ErrNotFound) {
		s.logger.Error().Int64("phyOffset", phyOffset).Msg("a half message is gone")
		return true, nil
	}
	if err != nil {
		return false, err
	}
	limits := s.limits()
	age := began.Sub(time.UnixMilli(half.BornTimestampMs))
	checks, given := checksOf(half)
	switch {
	case half.StoreTimestampMs >= began.UnixMilli():
		return false, nil // of this round; the producer has time to answer its last question, too
	case given && checks >= limits.MaxChecks, age > limits.MaxAge:
		return true, s.abandon(half)
	}
	span, own := immunity(half, limits.Timeout)
	switch {
	case own && age < span:
		return s.postpone(ops, half)
	case !own && age >= 0 && age < span:
		return false, nil
	}
	return s.question(ops, half, checks)
}

// checksOf is how often a producer has been asked.
func checksOf(half *message.Message) (checks int, given bool) {
	text, given := half.Property(message.PropTransactionChecks)
	checks, _ = strconv.Atoi(text) // 0 for what is no number
	return checks, given
}

// question stores an undecided half message again and asks its producer about the copy.
func (s *Service) question(ops *decided, half *message.Message, checks int) (passed bool, err error) {
	copied, done, err := s.again(ops, half, message.PropTransactionChecks, strconv.Itoa(max(checks+1, firstCheck)))
	if copied == nil {
		return done, err
	}
	copied.StoreTimestampMs = half.StoreTimestampMs
	s.logger.Info().Str("realTopic", realTopic(half)).Str("uniqKey", half.UniqKey()).Int64("offset", copied.QueueOffset).
		Int64("commitLogOffset", copied.PhyOffset).Msg("asking a producer about its half message")
	s.ask(copied)
	return true, nil
}

// postpone stores a half message again whose own time is not over. The first copy remembers where the original is.
func (s *Service) postpone(ops *decided, half *message.Message) (passed bool, err error) {
	original, known := half.Property(message.PropTranPreparedOffset)
	if !known {
		original = strconv.FormatInt(half.QueueOffset, 10)
	}
	copied, done, err := s.again(ops, half, message.PropTranPreparedOffset, original)
	return copied != nil || done, err
}

// again stores a half message once more, with a property, unless it has been decided up to this moment (done).
func (s *Service) again(ops *decided, half *message.Message, name, value string) (copied *message.Message, done bool, err error) {
	s.deciding.Lock()
	defer s.deciding.Unlock()
	if done, err := s.lastLook(ops, half); done || err != nil {
		return nil, done, err
	}
	copied = half.Again(half.Topic, half.QueueID)
	copied.SetProperty(name, value)
	if err := s.put(copied); err != nil {
		return nil, false, err
	}
	return copied, false, nil
}

// lastLook is whether a half message has been decided, by itself or as the one that it is a copy of, up to this moment.
func (s *Service) lastLook(ops *decided, half *message.Message) (done bool, err error) {
	if s.early.take(half) {
		return true, nil
	}
	if _, err := s.writeOps(true); err != nil {
		return false, err
	}
	return ops.take(half.QueueOffset)
}

// put stores a copy of a half message, which then says where it is.
func (s *Service) put(m *message.Message) error {
	receipt, err := s.log.Put(m)
	if err != nil {
		return err
	}
	m.QueueOffset, m.PhyOffset, m.StoreTimestampMs = receipt.QueueOffset, receipt.PhyOffset, receipt.StoreTimestampMs
	m.MsgID = message.OffsetMsgID(m.StoreHost, m.PhyOffset)
	return nil
}

// abandon keeps a half message that nobody decides where operators find it.
func (s *Service) abandon(half *message.Message) error {
	s.logger.Error().Str("realTopic", realTopic(half)).Str("uniqKey", half.UniqKey()).Int64("offset", half.QueueOffset).
		Msg("half message given up and moved to " + message.TransCheckMaxTimeTopic)
	if err := s.giveUp(); err != nil {
		return err
	}
	_, err := s.log.Put(half.Again(message.TransCheckMaxTimeTopic, 0))
	return err
}

func realTopic(half *message.Message) string {
	topic, _ := half.Property(message.PropRealTopic)
	return topic
}
