// SPDX-License-Identifier: Apache-2.0

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import org.apache.rocketmq.filter.FilterFactory;
import org.apache.rocketmq.filter.expression.EvaluationContext;
import org.apache.rocketmq.filter.expression.Expression;

/**
 * Reads lines "expression properties properties ..." in base64 and answers each with "E" when the original's filter
 * refuses the expression, else with T or F a property text, as the original broker would decide.
 */
public class Oracle {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        StringBuilder out = new StringBuilder();
        for (String line; (line = in.readLine()) != null; ) {
            String[] words = line.split(" ", -1);
            out.append(answer(words)).append('\n');
        }
        System.out.print(out);
    }

    private static String answer(String[] words) {
        Expression expression;
        try {
            expression = FilterFactory.INSTANCE.get("SQL92").compile(text(words[0]));
        } catch (Throwable refused) {
            return "E";
        }
        StringBuilder verdicts = new StringBuilder();
        for (int i = 1; i < words.length; i++) {
            verdicts.append(matches(expression, properties(text(words[i]))) ? 'T' : 'F');
        }
        return verdicts.toString();
    }

    private static boolean matches(Expression expression, Map<String, String> properties) {
        try {
            Object result = expression.evaluate(new EvaluationContext() {
                @Override
                public Object get(String name) {
                    return properties.get(name);
                }

                @Override
                public Map<String, Object> keyValues() {
                    return new HashMap<>(properties);
                }
            });
            return result instanceof Boolean && (Boolean) result;
        } catch (Throwable thrown) {
            return false;
        }
    }

    private static String text(String base64) {
        return new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8);
    }

    private static Map<String, String> properties(String text) {
        Map<String, String> map = new HashMap<>();
        for (String pair : text.split("\u0002")) {
            int at = pair.indexOf('\u0001');
            if (at > 0 && at < pair.length() - 1) {
                map.put(pair.substring(0, at), pair.substring(at + 1));
            }
        }
        return map;
    }
}
