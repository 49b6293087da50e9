// SPDX-License-Identifier: Apache-2.0

package rocketd;

import com.alibaba.fastjson.JSONObject;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.MQProducer;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * A push consumer's listener: it reports what it is given as {"on":NAME,"messages":[...]}, and refuses messages that have
 * been refused fewer than "refuse" times. "delayLevel" is the level that a refused message asks for, "orderly" makes the
 * consumer an orderly one, and "reply" is the producer that answers each message as a request.
 */
@SuppressWarnings("deprecation") // a consumer gives its innards away by nothing else
final class Listener {
    private Listener() {
    }

    static Object register(Object on, JSONObject command) {
        DefaultMQPushConsumer consumer = (DefaultMQPushConsumer) on;
        if (command.getBooleanValue("orderly")) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                context.setSuspendCurrentQueueTimeMillis(50);
                return take(command, messages) ? ConsumeOrderlyStatus.SUCCESS : ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
            });
            return null;
        }
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            context.setDelayLevelWhenNextConsume(command.getIntValue("delayLevel"));
            return take(command, messages) ? ConsumeConcurrentlyStatus.CONSUME_SUCCESS : ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        return null;
    }

    private static boolean take(JSONObject command, List<MessageExt> messages) {
        JSONObject event = new JSONObject();
        event.put("on", command.getString("on"));
        event.put("messages", messages);
        Main.print(event);
        if (command.containsKey("reply")) {
            reply((MQProducer) Main.objects.get(command.getString("reply")), messages);
        }
        return messages.stream().allMatch(m -> m.getReconsumeTimes() >= command.getIntValue("refuse"));
    }

    private static void reply(MQProducer producer, List<MessageExt> requests) {
        for (MessageExt m : requests) {
            try {
                String body = "reply to " + new String(m.getBody(), StandardCharsets.UTF_8);
                producer.send(MessageUtil.createReplyMessage(m, body.getBytes(StandardCharsets.UTF_8)));
            } catch (Exception e) {
                throw new IllegalStateException(e); // the message comes again
            }
        }
    }

    /** What the servers see of a consumer whose process is killed: its connections end, and it has not unregistered. */
    static Object die(Object on) {
        ((DefaultMQPushConsumer) on).getDefaultMQPushConsumerImpl().getmQClientFactory().getMQClientAPIImpl().getRemotingClient().shutdown();
        return null;
    }
}
