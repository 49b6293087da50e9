// SPDX-License-Identifier: Apache-2.0

package rocketd;

import com.alibaba.fastjson.JSONObject;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * A push consumer's listener: it reports what it is given as {"on":NAME,"messages":[...]}, and refuses messages that have
 * been refused fewer than "refuse" times. "delayLevel" is the level that a refused message asks for, "orderly" makes the
 * consumer an orderly one.
 */
@SuppressWarnings("deprecation") // a consumer gives its innards away by nothing else
final class Listener {
    private Listener() {
    }

    static Object register(Object on, JSONObject command) {
        DefaultMQPushConsumer consumer = (DefaultMQPushConsumer) on;
        String name = command.getString("on");
        int refuse = command.getIntValue("refuse");
        if (command.getBooleanValue("orderly")) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                context.setSuspendCurrentQueueTimeMillis(50);
                return take(name, messages, refuse) ? ConsumeOrderlyStatus.SUCCESS : ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
            });
            return null;
        }
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            context.setDelayLevelWhenNextConsume(command.getIntValue("delayLevel"));
            return take(name, messages, refuse) ? ConsumeConcurrentlyStatus.CONSUME_SUCCESS : ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        return null;
    }

    private static boolean take(String name, List<MessageExt> messages, int refuse) {
        JSONObject event = new JSONObject();
        event.put("on", name);
        event.put("messages", messages);
        Main.print(event);
        return messages.stream().allMatch(m -> m.getReconsumeTimes() >= refuse);
    }

    /** What the servers see of a consumer whose process is killed: its connections end, and it has not unregistered. */
    static Object die(Object on) {
        ((DefaultMQPushConsumer) on).getDefaultMQPushConsumerImpl().getmQClientFactory().getMQClientAPIImpl().getRemotingClient().shutdown();
        return null;
    }
}
