// SPDX-License-Identifier: Apache-2.0

// QUERY_ASSIGNMENT(400). Java: QueryAssignmentRequestBody, QueryAssignmentResponseBody, MessageQueueAssignment.

package protocol

// AssignmentRequest asks the broker to share a topic's queues out for one member of a group.
type AssignmentRequest struct {
	ClientID      string `json:"clientId"`
	ConsumerGroup string `json:"consumerGroup"`
	MessageModel  string `json:"messageModel"`
	StrategyName  string `json:"strategyName"` // AVG or AVG_BY_CIRCLE
	Topic         string `json:"topic"`
}

type Assignments struct {
	MessageQueueAssignments []Assignment `json:"messageQueueAssignments,omitzero"` // absent: the client keeps what it has
}

type Assignment struct {
	Attachments  map[string]string `json:"attachments,omitempty"`
	MessageQueue MessageQueue      `json:"messageQueue"`
	Mode         string            `json:"mode"` // PULL or POP
}
