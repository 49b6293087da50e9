// SPDX-License-Identifier: Apache-2.0

package rocketd;

import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.lang.reflect.Type;

/**
 * Finds the client's methods by name. The releases agree in their methods, but keep the types of arguments and results in
 * different packages: code that names those types would not compile against both.
 */
final class Reflect {
    private Reflect() {
    }

    static Object make(String name, JSONArray args, JSONObject properties) throws Exception {
        Object made = construct(Class.forName(name), args);
        for (String property : properties.keySet()) {
            String setter = "set" + Character.toUpperCase(property.charAt(0)) + property.substring(1);
            JSONArray value = new JSONArray();
            value.add(properties.get(property));
            call(made.getClass(), made, setter, value);
        }
        return made;
    }

    private static Object construct(Class<?> owner, JSONArray args) throws Exception {
        IllegalArgumentException misfit = null;
        for (Constructor<?> constructor : owner.getConstructors()) {
            if (constructor.getParameterCount() != args.size()) {
                continue;
            }
            Object[] converted;
            try {
                converted = convert(args, constructor.getGenericParameterTypes());
            } catch (IllegalArgumentException e) {
                misfit = e; // another constructor may fit
                continue;
            }
            return constructor.newInstance(converted);
        }
        throw new NoSuchMethodException("a new " + owner.getSimpleName() + " with " + args.size() + " such arguments: " + misfit);
    }

    static Object call(Class<?> owner, Object on, String name, JSONArray args) throws Exception {
        IllegalArgumentException misfit = null;
        for (Method method : owner.getMethods()) {
            if (!method.getName().equals(name) || method.getParameterCount() != args.size()) {
                continue;
            }
            Object[] converted;
            try {
                converted = convert(args, method.getGenericParameterTypes());
            } catch (IllegalArgumentException e) {
                misfit = e; // another method of this name may fit
                continue;
            }
            return method.invoke(on, converted);
        }
        throw new NoSuchMethodException(owner.getSimpleName() + "." + name + " with " + args.size() + " such arguments: " + misfit);
    }

    private static Object[] convert(JSONArray args, Type[] types) {
        Object[] converted = new Object[args.size()];
        for (int i = 0; i < converted.length; i++) {
            converted[i] = Json.convert(args.get(i), types[i]);
        }
        return converted;
    }
}
