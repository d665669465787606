// SPDX-License-Identifier: Apache-2.0
// OpenSearch itself, one node of it: PORT, the port between nodes, and the folder for all that it writes.
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

public class SearchServer extends Node {
    SearchServer(Settings settings) {
        super(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "waggle"), List.of(Netty4Plugin.class), true);
    }

    public static void main(String[] arguments) throws Exception {
        new SearchServer(Settings.builder()
                             .put("http.port", arguments[0])
                             .put("transport.port", arguments[1])
                             .put("path.home", arguments[2])
                             .put("network.host", "127.0.0.1")
                             .put("cluster.name", "waggle")
                             .put("discovery.type", "single-node")
                             .put("cluster.routing.allocation.disk.threshold_enabled", false)
                             .put("node.store.allow_mmap", false)
                             .put("http.type", "netty4")
                             .put("transport.type", "netty4")
                             .build())
            .start();
        Thread.currentThread().join();
    }
}
