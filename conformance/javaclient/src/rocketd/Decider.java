// SPDX-License-Identifier: Apache-2.0

package rocketd;

import com.alibaba.fastjson.JSONObject;
import java.util.Collections;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * A transaction producer's listener: a message's property "first" is its decision when it has been sent, "asked" that when
 * the server asks, which is reported as {"on":NAME,"messages":[...]}.
 */
final class Decider {
    private Decider() {
    }

    static Object register(Object on, JSONObject command) {
        ((TransactionMQProducer) on).setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message m, Object argument) {
                return LocalTransactionState.valueOf(m.getUserProperty("first"));
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt m) {
                JSONObject event = new JSONObject();
                event.put("on", command.getString("on"));
                event.put("messages", Collections.singletonList(m));
                Main.print(event);
                return LocalTransactionState.valueOf(m.getUserProperty("asked"));
            }
        });
        return null;
    }
}
