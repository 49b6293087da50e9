// SPDX-License-Identifier: Apache-2.0

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.Permission;
import java.util.Base64;
import java.util.List;

import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * Runs the original mqadmin's commands in one JVM. A line of input is a command: the seconds that it may take, then its
 * words, all in base64 with blanks between. A line of output is what it printed on standard output and on standard error,
 * in base64 each. Nothing of a command is left to the next: neither the name server's address nor the command objects.
 */
@SuppressWarnings("removal")
public class Driver {
    // An Error, because mqadmin catches exceptions.
    static final class Exit extends Error {
    }

    // Only the exit is of interest: commands with a faulty command line and help end the process.
    static final class NoExit extends SecurityManager {
        @Override
        public void checkExit(int status) {
            throw new Exit();
        }

        @Override
        public void checkPermission(Permission p) {
        }

        @Override
        public void checkPermission(Permission p, Object context) {
        }
    }

    static class Commands extends MQAdminStartup {
        static List<?> all() {
            return SUB_COMMANDS;
        }
    }

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        System.setSecurityManager(new NoExit());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            String[] command = new String[words.length - 1];
            for (int i = 0; i < command.length; i++) {
                command[i] = new String(Base64.getDecoder().decode(words[i + 1].substring(1)), StandardCharsets.UTF_8);
            }
            answers.println(run(Long.parseLong(words[0]), command));
            answers.flush();
        }
        System.setSecurityManager(null);
        Runtime.getRuntime().halt(0); // clients leave threads behind
    }

    static String run(long seconds, String[] command) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        System.setOut(new PrintStream(out, true, "UTF-8"));
        System.setErr(new PrintStream(err, true, "UTF-8"));
        System.clearProperty("rocketmq.namesrv.addr");
        Commands.all().clear();
        Thread worker = new Thread(() -> {
            try {
                MQAdminStartup.main0(command, null);
            } catch (Exit e) {
                // The end of this command.
            } catch (Throwable e) {
                e.printStackTrace();
            }
        });
        worker.start();
        for (long end = System.currentTimeMillis() + seconds * 1000; worker.isAlive() && System.currentTimeMillis() < end;) {
            worker.join(20);
            hasten(worker);
        }
        if (worker.isAlive()) {
            worker.interrupt(); // a command that repeats itself until it is stopped
            worker.join();
        }
        System.out.flush();
        System.err.flush();
        return encode(out) + " " + encode(err);
    }

    // A client that ends waits up to 3 s for its thread of events, which nobody wakes. In a process that ends too, that
    // does not matter; here it would be most of the time.
    static void hasten(Thread worker) {
        for (StackTraceElement call : worker.getStackTrace()) {
            if (call.getClassName().endsWith(".ServiceThread") && call.getMethodName().equals("shutdown")) {
                for (Thread thread : Thread.getAllStackTraces().keySet()) {
                    if (thread.getName().equals("NettyEventExecutor")) {
                        thread.interrupt();
                    }
                }
                return;
            }
        }
    }

    // A mark in front keeps an empty text from vanishing between blanks.
    static String encode(ByteArrayOutputStream text) {
        return "=" + Base64.getEncoder().encodeToString(text.toByteArray());
    }
}
