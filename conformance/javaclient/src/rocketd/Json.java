// SPDX-License-Identifier: Apache-2.0

package rocketd;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import com.alibaba.fastjson.serializer.ObjectSerializer;
import com.alibaba.fastjson.serializer.SerializeConfig;
import com.alibaba.fastjson.serializer.SerializerFeature;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageExt;

/** Between JSON and the client's objects. */
final class Json {
    private static final SerializeConfig config = new SerializeConfig();

    static {
        ObjectSerializer message = (serializer, object, name, type, features) -> serializer.write(plain((MessageExt) object));
        config.put(MessageExt.class, message);
        config.put(MessageClientExt.class, message);
    }

    private Json() {
    }

    /** Map keys that are no strings, such as message queues, become strings that hold their JSON. */
    static String text(Object value) {
        return JSON.toJSONString(value, config, SerializerFeature.WriteNonStringKeyAsString, SerializerFeature.DisableCircularReferenceDetect);
    }

    private static JSONObject plain(MessageExt m) {
        JSONObject o = new JSONObject();
        o.put("topic", m.getTopic());
        o.put("brokerName", m.getBrokerName());
        o.put("queueId", m.getQueueId());
        o.put("queueOffset", m.getQueueOffset());
        o.put("commitLogOffset", m.getCommitLogOffset());
        o.put("msgId", m.getMsgId());
        o.put("offsetMsgId", m instanceof MessageClientExt ? ((MessageClientExt) m).getOffsetMsgId() : m.getMsgId());
        o.put("tags", m.getTags());
        o.put("keys", m.getKeys());
        o.put("properties", m.getProperties());
        o.put("body", m.getBody());
        o.put("bodyCRC", m.getBodyCRC());
        o.put("flag", m.getFlag());
        o.put("sysFlag", m.getSysFlag());
        o.put("bornHost", String.valueOf(m.getBornHost()));
        o.put("bornTimestamp", m.getBornTimestamp());
        o.put("storeHost", String.valueOf(m.getStoreHost()));
        o.put("storeTimestamp", m.getStoreTimestamp());
        o.put("reconsumeTimes", m.getReconsumeTimes());
        return o;
    }

    static Message message(JSONObject o) {
        Message m = new Message(o.getString("topic"), o.getString("tags"), o.getString("keys"), o.getBytes("body"));
        if (o.containsKey("properties")) {
            o.getJSONObject("properties").forEach((name, value) -> m.putUserProperty(name, (String) value));
        }
        if (o.containsKey("delayTimeLevel")) {
            m.setDelayTimeLevel(o.getIntValue("delayTimeLevel"));
        }
        if (o.containsKey("timer")) { // what Message.setDelayTimeSec and its like do, which 4.9.8 does not have
            o.getJSONObject("timer").forEach((name, value) -> MessageAccessor.putProperty(m, name, (String) value));
        }
        m.setFlag(o.getIntValue("flag"));
        return m;
    }

    /** Turns JSON into a value of a type, or throws IllegalArgumentException where it does not fit. */
    static Object convert(Object json, Type type) {
        Class<?> c = (Class<?>) (type instanceof ParameterizedType ? ((ParameterizedType) type).getRawType() : type);
        if (json instanceof JSONObject && ((JSONObject) json).containsKey("ref")) {
            return fitting(Main.objects.get(((JSONObject) json).getString("ref")), c);
        }
        if (json == null && !c.isPrimitive()) {
            return null;
        }
        if (c == String.class) {
            return fitting(json, c);
        }
        if (c == boolean.class || c == Boolean.class) {
            return fitting(json, Boolean.class);
        }
        if (c == int.class || c == Integer.class) {
            return ((Number) fitting(json, Number.class)).intValue();
        }
        if (c == long.class || c == Long.class) {
            return ((Number) fitting(json, Number.class)).longValue();
        }
        if (c.isEnum() && json instanceof String) {
            return JSON.parseObject(JSON.toJSONString(json), c);
        }
        if (Collection.class.isAssignableFrom(c)) {
            return collection((JSONArray) fitting(json, JSONArray.class), c, argument(type, 0));
        }
        JSONObject object = (JSONObject) fitting(json, JSONObject.class);
        if (c == Properties.class) {
            Properties properties = new Properties();
            properties.putAll(object);
            return properties;
        }
        if (c == Map.class) {
            return map(object, argument(type, 0), argument(type, 1));
        }
        return object.toJavaObject(c);
    }

    private static Object fitting(Object value, Class<?> c) {
        if (!c.isInstance(value)) {
            throw new IllegalArgumentException(value + " is no " + c.getSimpleName());
        }
        return value;
    }

    private static Type argument(Type type, int i) {
        return ((ParameterizedType) type).getActualTypeArguments()[i];
    }

    private static Object collection(JSONArray array, Class<?> c, Type element) {
        Collection<Object> all = c == Set.class ? new HashSet<>() : new ArrayList<>();
        for (Object json : array) {
            all.add(convert(json, element));
        }
        return all;
    }

    private static Object map(JSONObject object, Type key, Type value) {
        Map<Object, Object> all = new HashMap<>();
        object.forEach((k, v) -> all.put(convert(key == String.class ? k : JSON.parse(k), key), convert(v, value)));
        return all;
    }
}
