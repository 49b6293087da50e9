// SPDX-License-Identifier: Apache-2.0

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.broker.filter.MessageEvaluationContext;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.filter.FilterFactory;
import org.apache.rocketmq.filter.expression.Expression;

/**
 * Reads lines "expression properties properties ..." in base64 and answers each with two figures: evaluations a second
 * from the bytes of a record's properties, as the original broker does it for a pull, and of the expression alone over
 * properties that are read already. The arguments are the seconds of load before each figure, and of measuring.
 */
public class Warm {
    private static long matches;

    public static void main(String[] args) throws Exception {
        double warmUp = Double.parseDouble(args[0]);
        double measured = Double.parseDouble(args[1]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line; (line = in.readLine()) != null; ) {
            String[] words = line.split(" ");
            Expression expression = FilterFactory.INSTANCE.get("SQL92").compile(new String(bytes(words[0]), StandardCharsets.UTF_8));
            List<byte[]> texts = new ArrayList<>();
            List<Map<String, String>> maps = new ArrayList<>();
            for (int i = 1; i < words.length; i++) {
                texts.add(bytes(words[i]));
                maps.add(read(bytes(words[i])));
            }
            Runnable whole = () -> texts.forEach(text -> evaluate(expression, read(text)));
            Runnable alone = () -> maps.forEach(map -> evaluate(expression, map));
            perSecond(whole, texts.size(), warmUp);
            double figure = perSecond(whole, texts.size(), measured);
            perSecond(alone, texts.size(), warmUp);
            System.out.println(figure + " " + perSecond(alone, texts.size(), measured));
        }
        System.err.println(matches + " matches");
    }

    private static void evaluate(Expression expression, Map<String, String> properties) {
        try {
            if (Boolean.TRUE.equals(expression.evaluate(new MessageEvaluationContext(properties)))) {
                matches++;
            }
        } catch (Throwable thrown) {
            matches--;
        }
    }

    private static double perSecond(Runnable pass, int size, double seconds) {
        long start = System.nanoTime();
        long passes = 0;
        long elapsed;
        do {
            for (int i = 0; i < 1000; i++) {
                pass.run();
            }
            passes += 1000;
            elapsed = System.nanoTime() - start;
        } while (elapsed < seconds * 1e9);
        return passes * size * 1e9 / elapsed;
    }

    private static Map<String, String> read(byte[] text) {
        return MessageDecoder.string2messageProperties(new String(text, StandardCharsets.UTF_8));
    }

    private static byte[] bytes(String base64) {
        return Base64.getDecoder().decode(base64);
    }
}
