// SPDX-License-Identifier: Apache-2.0

package rocketd;

import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.rocketmq.client.producer.MQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** Sends a command's messages in one of the client's ways, and answers with the results in the order of the messages. */
final class Sender {
    private Sender() {
    }

    static Object send(MQProducer producer, JSONObject command) throws Exception {
        List<Message> messages = new ArrayList<>();
        for (Object o : command.getJSONArray("messages")) {
            messages.add(Json.message((JSONObject) o));
        }
        JSONArray results = new JSONArray();
        switch (command.getString("mode")) {
            case "async":
                return async(producer, messages);
            case "batch":
                results.add(producer.send(messages));
                return results;
            default:
        }
        for (Message m : messages) {
            results.add(one(producer, m, command));
        }
        return results;
    }

    private static Object one(MQProducer producer, Message m, JSONObject command) throws Exception {
        switch (command.getString("mode")) {
            case "sync":
                return producer.send(m);
            case "one way":
                producer.sendOneway(m);
                return null;
            case "selector": // the queue that the message's order number says
                return producer.send(m, (queues, message, order) -> queues.get((Integer) order % queues.size()),
                    Integer.valueOf(m.getUserProperty("order")));
            case "queue":
                return producer.send(m, command.getObject("queue", MessageQueue.class));
            default:
                throw new IllegalArgumentException("unknown mode");
        }
    }

    private static Object async(MQProducer producer, List<Message> messages) throws Exception {
        Object[] results = new Object[messages.size()];
        CountDownLatch answered = new CountDownLatch(results.length);
        for (int i = 0; i < results.length; i++) {
            int place = i;
            producer.send(messages.get(i), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    results[place] = result;
                    answered.countDown();
                }

                @Override
                public void onException(Throwable e) {
                    results[place] = Main.describe(e);
                    answered.countDown();
                }
            });
        }
        answered.await();
        return results;
    }
}
