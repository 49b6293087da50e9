// SPDX-License-Identifier: Apache-2.0

// JSON bodies of requests and answers.

package broker

import (
	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/remoting"
)

// requestJSON reads the request's body. Java fails with SystemError on one that is missing or
// cannot be read.
func requestJSON(c *remoting.Call, into any) error {
	body := c.Request().Body
	if len(body) == 0 {
		return protocol.Errorf(protocol.SystemError, "the request has no body")
	}
	if err := fastjson.Unmarshal(body, into); err != nil {
		return protocol.Errorf(protocol.SystemError, "the request's body cannot be read: %v", err)
	}
	return nil
}

// answerJSON makes v the answer's body.
func answerJSON(c *remoting.Call, v any) error {
	body, err := fastjson.Marshal(v)
	if err != nil {
		return err
	}
	c.SetBody(body)
	return nil
}

// noMappings is the tables of static topics, of which there are none here.
var noMappings = map[string]fastjson.Raw{}

// sameVersion says whether text, if there is any, is the given version.
func sameVersion(text *string, version protocol.DataVersion) bool {
	if text == nil || *text == "" {
		return true
	}
	var asked protocol.DataVersion
	return fastjson.Unmarshal([]byte(*text), &asked) == nil && asked == version
}
