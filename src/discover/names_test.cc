// SPDX-License-Identifier: Apache-2.0
#include "discover/names.h"

#include <gtest/gtest.h>

namespace waggle::discover {
namespace {

TEST(Names, GenericOnesSayNothing) {
    for (const char* name : {"", "main", "Main", "app", "SERVER", "manage", "a.out"})
        EXPECT_TRUE(is_generic_name(name)) << name;
    for (const char* name : {"shop", "mainframe", "appserver"}) EXPECT_FALSE(is_generic_name(name)) << name;
}

TEST(Names, NearestTellingDirectory) {
    EXPECT_EQ(telling_directory("/srv/shop/bin"), "shop");
    EXPECT_EQ(telling_directory("/srv/shop"), "shop");
    EXPECT_EQ(telling_directory("/srv/shop/releases/20261101"), "shop");
    EXPECT_EQ(telling_directory("/opt/shop/venv/lib/python3.11/site-packages"), "shop");
    EXPECT_EQ(telling_directory("/home/ann/shop/src"), "shop");
    EXPECT_EQ(telling_directory("/home/ann/src"), "");
    EXPECT_EQ(telling_directory("/home/ann"), "");
    EXPECT_EQ(telling_directory("/usr/lib/x"), "x");
    EXPECT_EQ(telling_directory("/app"), "");
    EXPECT_EQ(telling_directory("/"), "");
    EXPECT_EQ(telling_directory(""), "");
    EXPECT_EQ(telling_directory("/tmp/tmp1234"), "");
    EXPECT_EQ(telling_directory("/srv/.cache/shop"), "shop");
    EXPECT_EQ(telling_directory("/srv/Shop/bin/Release/1.2.3"), "Shop");
}

TEST(Names, AbsolutePaths) {
    EXPECT_EQ(absolute_path("app.py", "/srv/shop"), "/srv/shop/app.py");
    EXPECT_EQ(absolute_path("./x/../app.py", "/srv/shop/"), "/srv/shop/app.py");
    EXPECT_EQ(absolute_path("../../../../x", "/srv"), "/x");
    EXPECT_EQ(absolute_path("/a//b/.", "/srv"), "/a/b");
    EXPECT_EQ(absolute_path("", ""), "/");
}

TEST(Names, Extensions) {
    EXPECT_EQ(without_extension("shop.py"), "shop");
    EXPECT_EQ(without_extension("Shop.Api.dll"), "Shop.Api");
    EXPECT_EQ(without_extension(".py"), ".py");
    EXPECT_EQ(without_extension("shop.conf"), "shop.conf");
}

TEST(Names, Archives) {
    EXPECT_EQ(jar_name("shop-1.2.3-SNAPSHOT.jar"), "shop");
    EXPECT_EQ(jar_name("shop-v2.jar"), "shop");
    EXPECT_EQ(jar_name("shop-service-all.jar"), "shop-service");
    EXPECT_EQ(jar_name("shop-boot-exec.jar"), "shop");
    EXPECT_EQ(jar_name("log4j-over-slf4j-2.0.jar"), "log4j-over-slf4j");
    EXPECT_EQ(jar_name("shop.war"), "shop");
    EXPECT_EQ(jar_name("-all.jar"), "-all");
    EXPECT_EQ(jar_name(""), "");
}

TEST(Names, Modules) {
    EXPECT_EQ(module_name("shop.main:app"), "shop");
    EXPECT_EQ(module_name("acme.shop.wsgi"), "acme.shop");
    EXPECT_EQ(module_name("main:app"), "main");
    EXPECT_EQ(module_name("shop:create_app()"), "shop");
}

TEST(Names, GoPackages) {
    EXPECT_EQ(go_package_name("github.com/acme/shop/cmd/server"), "shop");
    EXPECT_EQ(go_package_name("github.com/acme/shop/v2"), "shop");
    EXPECT_EQ(go_package_name("github.com/acme/shop/cmd/catalog"), "catalog");
    EXPECT_EQ(go_package_name("shop"), "shop");
    EXPECT_EQ(go_package_name("example.org"), "");
    EXPECT_EQ(go_package_name("command-line-arguments"), "");
    EXPECT_EQ(go_package_name("main"), "");
    EXPECT_EQ(go_package_name(""), "");
}

TEST(Names, JsonMember) {
    EXPECT_EQ(json_name(R"({"name": "shop"})"), "shop");
    EXPECT_EQ(json_name(R"({"author": {"name": "Ann"}, "name" : "shop", "x": 1})"), "shop");
    EXPECT_EQ(json_name(R"({"files": ["name", "a"], "name": "sh\"op"})"), "sh\"op");
    EXPECT_EQ(json_name(R"({"description": "name", "keywords": ["name"], "name": "shop"})"), "shop");
    for (const char* json :
         {"", "{", "{\"name\"", "{\"name\":", "{\"name\": 5}", "{\"name\": \"", "[\"name\", \"x\"]", "\"\\", "{\"\\"})
        EXPECT_EQ(json_name(json), "") << json;
    EXPECT_EQ(json_name("{\"name\": \"" + std::string(300, 'x') + "\"}"), "");
}

}  // namespace
}  // namespace waggle::discover
