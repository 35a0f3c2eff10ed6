// SPDX-License-Identifier: MIT
#include "common/address/list.hpp"

#include <ctime>

namespace gk::address {
namespace {

// name|route|local|domain for each, groups as "name:" and ";".
std::string show(std::string_view value) {
    std::string out;
    for (const Listed& a : parse_list(value)) {
        if (!out.empty()) out += " / ";
        if (a.kind == Listed::Kind::GroupBegin) out += a.name + ":";
        else if (a.kind == Listed::Kind::GroupEnd) out += ";";
        else out += a.name + "|" + a.route + "|" + a.local_part + "|" + a.domain;
    }
    return out;
}

TEST(AddressList, ReadsRfc5322) {
    EXPECT_EQ(show("ann@a.test"), "||ann|a.test");
    EXPECT_EQ(show("Ann Doe <ann@a.test>, <bob@b.test>"), "Ann Doe||ann|a.test / ||bob|b.test");
    EXPECT_EQ(show("\"Doe, Ann\" <ann@a.test>"), "Doe, Ann||ann|a.test");
    EXPECT_EQ(show("\"Joe \\\"Q\\\" Public\" <\"j p\"@a.test>"), "Joe \"Q\" Public||j p|a.test");
    EXPECT_EQ(show("ann@[192.0.2.1]"), "||ann|[192.0.2.1]");
    EXPECT_EQ(show("Ann\r\n Doe\r\n <ann@a.test>"), "Ann Doe||ann|a.test");
    EXPECT_EQ(show(""), "");
    EXPECT_EQ(show(" , ,ann@a.test,,"), "||ann|a.test");
}

TEST(AddressList, ReadsGroups) {
    EXPECT_EQ(show("Friends: ann@a.test, Bob <bob@b.test>;"), "Friends: / ||ann|a.test / Bob||bob|b.test / ;");
    EXPECT_EQ(show("Undisclosed recipients:;"), "Undisclosed recipients: / ;");
    EXPECT_EQ(show("A: a@a.test; , b@b.test"), "A: / ||a|a.test / ; / ||b|b.test");
    EXPECT_EQ(show("A: a@a.test"), "A: / ||a|a.test / ;");
}

TEST(AddressList, ReadsObsoleteForms) {
    EXPECT_EQ(show("joe@a.test (Joe Doe)"), "Joe Doe||joe|a.test");
    EXPECT_EQ(show("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"), "Pete||pete|silly.test");
    EXPECT_EQ(show("John . Doe @ a . test"), "||John.Doe|a.test");
    EXPECT_EQ(show("Joe Q. Public <john.q.public@a.test>"), "Joe Q. Public||john.q.public|a.test");
    EXPECT_EQ(show("X <@one.test,@two.test:ann@a.test>"), "X|@one.test,@two.test|ann|a.test");
    EXPECT_EQ(show("(outer (inner) text) ann@a.test"), "outer (inner) text||ann|a.test");
    EXPECT_EQ(show("(unclosed ann@a.test"), "");
}

TEST(AddressList, ReadsWhatSendersGetWrong) {
    EXPECT_EQ(show("ann@a.test; bob@b.test"), "||ann|a.test / ||bob|b.test");
    EXPECT_EQ(show("ann@a.test <ann@a.test>"), "ann@a.test||ann|a.test");
    EXPECT_EQ(show("Ann ann@a.test"), "Ann||ann|a.test");
    EXPECT_EQ(show("<ann@a.test"), "||ann|a.test");
    EXPECT_EQ(show("<ann@a.test, bob@b.test"), "||ann|a.test / ||bob|b.test");
    EXPECT_EQ(show("<mailto:ann@a.test>"), "||ann|a.test");
    EXPECT_EQ(show("<Undisclosed-Recipient:;>"), "||Undisclosed-Recipient|");
    EXPECT_EQ(show("<ann@a.test; bob@b.test"), "||ann|a.test / ||bob|b.test");
    EXPECT_EQ(show("ann@a.test>, bob@b.test"), "||ann|a.test / ||bob|b.test");
    EXPECT_EQ(show("ann"), "||ann|");
    EXPECT_EQ(show("Ann Doe"), "Ann Doe|||");
    EXPECT_EQ(show("Ann <>"), "Ann|||");
    EXPECT_EQ(show("<>"), "");
    EXPECT_EQ(show("<a@b@c.test>"), "||a@b|c.test");
    EXPECT_EQ(show("=?utf-8?Q?Doe,_Ann?= <ann@a.test>"), "=?utf-8?Q?Doe,_Ann?=||ann|a.test");
    EXPECT_EQ(show("=?utf-8?B?w6k=?= =?utf-8?B?w6k=?= <ann@a.test>"), "=?utf-8?B?w6k=?= =?utf-8?B?w6k=?=||ann|a.test");
    EXPECT_EQ(show("J\xF6rg <j@a.test>"), "J\xF6rg||j|a.test");
    EXPECT_EQ(show("[x] <j@a.test>"), "[x]||j|a.test");
    EXPECT_EQ(show("\"unclosed <j@a.test>"), "||unclosed <j@a.test>|");
    EXPECT_EQ(show("Ann <ann@a.test> behind, bob@b.test"), "Ann||ann|a.test / ||bob|b.test");
}

TEST(AddressList, TakesTimeLinearInHostileLength) {
    // Each of these is quadratic in a parser that looks back or copies what it has read.
    for (const std::string_view unit :
         {"a ", "(", "<", "\"", "a@", "=?", "(a)", "<a", ",", ":", ";", "[", "a.", "@", "\\", "=?a?q?"}) {
        std::string value = "(" + std::string(30'000, 'c') + ")";
        while (value.size() < 400'000) value += unit;
        const std::clock_t before = std::clock();  // of the processor: the machine may be busy with other things
        EXPECT_LE(parse_list(value).size(), kMaxListed + 2);
        EXPECT_LT(std::clock() - before, 2 * CLOCKS_PER_SEC) << unit;
    }
}

TEST(AddressList, StopsAtTheBound) {
    std::string value;
    for (int i = 0; i < 30'000; ++i) value += "a@b.test,";
    EXPECT_EQ(parse_list(value).size(), kMaxListed);
}

TEST(AddressList, ListsAddresses) {
    EXPECT_EQ(addresses_of("Ann <ann@a.test>, G: \"b c\"@b.test;, nobody"),
              (std::vector<std::string>{"ann@a.test", "\"b c\"@b.test"}));
}

}  // namespace
}  // namespace gk::address
