// SPDX-License-Identifier: Apache-2.0

package rocketd;

import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import java.lang.reflect.Method;

/**
 * Finds the client's methods by name. The releases agree in their methods, but keep the types of arguments and results in
 * different packages: code that names those types would not compile against both.
 */
final class Reflect {
    private Reflect() {
    }

    static Object make(String name, JSONObject properties) throws Exception {
        Object made = Class.forName(name).getDeclaredConstructor().newInstance();
        for (String property : properties.keySet()) {
            String setter = "set" + Character.toUpperCase(property.charAt(0)) + property.substring(1);
            JSONArray args = new JSONArray();
            args.add(properties.get(property));
            call(made.getClass(), made, setter, args);
        }
        return made;
    }

    static Object call(Class<?> owner, Object on, String name, JSONArray args) throws Exception {
        IllegalArgumentException misfit = null;
        for (Method method : owner.getMethods()) {
            if (!method.getName().equals(name) || method.getParameterCount() != args.size()) {
                continue;
            }
            Object[] converted = new Object[args.size()];
            try {
                for (int i = 0; i < converted.length; i++) {
                    converted[i] = Json.convert(args.get(i), method.getGenericParameterTypes()[i]);
                }
            } catch (IllegalArgumentException e) {
                misfit = e; // another method of this name may fit
                continue;
            }
            return method.invoke(on, converted);
        }
        throw new NoSuchMethodException(owner.getSimpleName() + "." + name + " with " + args.size() + " such arguments: " + misfit);
    }
}
