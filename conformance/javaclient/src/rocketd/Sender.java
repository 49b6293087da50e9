// SPDX-License-Identifier: Apache-2.0

package rocketd;

import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import org.apache.rocketmq.client.producer.MQProducer;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
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
                return async(messages, (m, done) -> producer.send(m, sent(done)));
            case "async request":
                return async(messages, (m, done) -> producer.request(m, replied(done), command.getLongValue("timeoutMs")));
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
            case "transaction":
                return ((TransactionMQProducer) producer).sendMessageInTransaction(m, null);
            case "one way":
                producer.sendOneway(m);
                return null;
            case "request":
                return producer.request(m, command.getLongValue("timeoutMs"));
            case "selector": // the queue that the message's order number says
                return producer.send(m, (queues, message, order) -> queues.get((Integer) order % queues.size()),
                    Integer.valueOf(m.getUserProperty("order")));
            case "queue":
                return producer.send(m, command.getObject("queue", MessageQueue.class));
            default:
                throw new IllegalArgumentException("unknown mode");
        }
    }

    /** A way to send that calls back with a result or with a description of what failed. */
    private interface Start {
        void with(Message m, Consumer<Object> done) throws Exception;
    }

    private static Object async(List<Message> messages, Start start) throws Exception {
        Object[] results = new Object[messages.size()];
        CountDownLatch answered = new CountDownLatch(results.length);
        for (int i = 0; i < results.length; i++) {
            int place = i;
            start.with(messages.get(i), result -> {
                results[place] = result;
                answered.countDown();
            });
        }
        answered.await();
        return results;
    }

    private static SendCallback sent(Consumer<Object> done) {
        return new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                done.accept(result);
            }

            @Override
            public void onException(Throwable e) {
                done.accept(Main.describe(e));
            }
        };
    }

    private static RequestCallback replied(Consumer<Object> done) {
        return new RequestCallback() {
            @Override
            public void onSuccess(Message reply) {
                done.accept(reply);
            }

            @Override
            public void onException(Throwable e) {
                done.accept(Main.describe(e));
            }
        };
    }
}
