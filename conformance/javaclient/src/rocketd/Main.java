// SPDX-License-Identifier: Apache-2.0

package rocketd;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.exception.RequestTimeoutException;
import org.apache.rocketmq.client.producer.MQProducer;

/**
 * Hands the published client to a test in another process: commands come as lines of JSON on standard input, answers and
 * events leave as such lines on standard output. Commands run side by side, and the end of the input ends the program.
 *
 * <pre>
 * {"id":1,"do":"new","class":C,"args":[...],"as":NAME,"set":{PROPERTY:VALUE}}  makes an object and sets its properties
 * {"id":2,"do":"call","on":NAME,"method":M,"args":[...],"as":NAME} calls a method; "as" keeps the result under a name
 * {"id":2,"do":"call","class":C,"method":M,"args":[...],"as":NAME} calls a static method
 * {"id":3,"do":"send","on":NAME,"mode":MODE,"messages":[...]}      sends: see Sender
 * {"id":4,"do":"listen","on":NAME,...}                             gives a push consumer its listener: see Listener
 * {"id":5,"do":"decide","on":NAME}                                 gives a transaction producer its listener: see Decider
 * {"id":6,"do":"die","on":NAME}                                    cuts a push consumer's connections, without goodbye
 * </pre>
 * An answer is {"id":1,"result":...} or {"id":1,"error":{"class":...,"code":...,"text":...}}.
 */
public final class Main {
    static final Map<String, Object> objects = new ConcurrentHashMap<>();
    private static PrintStream out;

    public static void main(String[] args) throws Exception {
        out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        System.setOut(System.err); // whatever a library prints must not come between the answers
        ExecutorService pool = Executors.newCachedThreadPool();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JSONObject command = JSON.parseObject(line);
            pool.execute(() -> answer(command));
        }
        Runtime.getRuntime().halt(0); // clients need not take their leave of servers that may be gone
    }

    private static void answer(JSONObject command) {
        JSONObject answer = new JSONObject();
        answer.put("id", command.get("id"));
        try {
            answer.put("result", run(command));
        } catch (InvocationTargetException e) {
            answer.put("error", describe(e.getCause()));
        } catch (Throwable e) {
            answer.put("error", describe(e));
        }
        print(answer);
    }

    private static Object run(JSONObject command) throws Exception {
        Object on = command.containsKey("on") ? objects.get(command.getString("on")) : null;
        switch (command.getString("do")) {
            case "new":
                return keep(command, Reflect.make(command.getString("class"), command.getJSONArray("args"), command.getJSONObject("set")), null);
            case "call":
                Class<?> owner = on != null ? on.getClass() : Class.forName(command.getString("class"));
                Object result = Reflect.call(owner, on, command.getString("method"), command.getJSONArray("args"));
                return keep(command, result, command.containsKey("as") ? null : result);
            case "send":
                return Sender.send((MQProducer) on, command);
            case "listen":
                return Listener.register(on, command);
            case "decide":
                return Decider.register(on, command);
            case "die":
                return Listener.die(on);
            default:
                throw new IllegalArgumentException("unknown command");
        }
    }

    private static Object keep(JSONObject command, Object made, Object answer) {
        if (command.containsKey("as")) {
            objects.put(command.getString("as"), made);
        }
        return answer;
    }

    static JSONObject describe(Throwable e) {
        JSONObject error = new JSONObject();
        error.put("class", e.getClass().getSimpleName());
        error.put("text", String.valueOf(e.getMessage()));
        if (e instanceof MQBrokerException) {
            error.put("code", ((MQBrokerException) e).getResponseCode());
        } else if (e instanceof MQClientException) {
            error.put("code", ((MQClientException) e).getResponseCode());
        } else if (e instanceof RequestTimeoutException) {
            error.put("code", ((RequestTimeoutException) e).getResponseCode());
        }
        return error;
    }

    /** Prints one line; lines of several threads do not mix. */
    static void print(JSONObject line) {
        String text = Json.text(line);
        synchronized (out) {
            out.println(text);
            out.flush();
        }
    }
}
