// SPDX-License-Identifier: Apache-2.0
package shop.desk;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.File;
import java.io.IOException;
import java.util.Collections;
import java.util.List;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;

/** The talk's server (tests/e2e/talk.py) in an embedded Tomcat: java shop.desk.HelpDesk <port> <folder> */
public class HelpDesk extends HttpServlet {
    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        switch (request.getRequestURI()) {
            case "/hello" -> answer(response, 200, "hello".getBytes());
            case "/missing" -> answer(response, 404, "missing".getBytes());
            case "/broken" -> answer(response, 500, "broken".getBytes());
            case "/big" -> answer(response, 200, new byte[1 << 20]);
            case "/chunked" -> chunked(response, List.of("one", "two", "three"));
            case "/stream" -> chunked(response, Collections.nCopies(64, "y".repeat(1 << 14)));
            default -> throw new IllegalArgumentException(request.getRequestURI());
        }
    }

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
        answer(response, 200, request.getInputStream().readAllBytes());
    }

    private static void chunked(HttpServletResponse response, List<String> pieces) throws IOException {
        for (String piece : pieces) {
            response.getOutputStream().write(piece.getBytes());
            response.flushBuffer();
        }
    }

    private static void answer(HttpServletResponse response, int status, byte[] body) throws IOException {
        response.setStatus(status);
        response.setContentLength(body.length);
        response.getOutputStream().write(body);
    }

    public static void main(String[] arguments) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(arguments[1]);
        tomcat.setPort(Integer.parseInt(arguments[0]));
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        Context context = tomcat.addContext("", new File(arguments[1]).getAbsolutePath());
        Tomcat.addServlet(context, "desk", new HelpDesk());
        context.addServletMappingDecoded("/*", "desk");
        tomcat.start();
        tomcat.getServer().await();
    }
}
