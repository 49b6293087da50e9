// SPDX-License-Identifier: Apache-2.0

package compat

// The ledger is the one list of everything in which this server is known to
// differ from Apache RocketMQ 5.5.0. LEDGER.md is generated from it
// (go generate ./compat), and internal/tidy holds it against the request
// tables: a request code is served, only ever sent, or stands here.

//go:generate go run ../internal/tidy/ledgermd -o ../LEDGER.md

// Status says whether a ledger line is meant to stay.
type Status string

// The states of an entry.
const (
	Open       Status = "open"       // still to be removed
	Deliberate Status = "deliberate" // stays, with a reason that a user would accept
)

// Entry is one known difference. Codes are the request codes it covers, if
// they answer REQUEST_CODE_NOT_SUPPORTED because of it.
type Entry struct {
	ID     string
	Area   string
	Status Status
	What   string
	Reason string
	Codes  []int32
}

// Ledger lists the known differences in the order in which LEDGER.md prints them.
var Ledger = append(unservedCodes, differences...)

// unservedCodes are the request codes that answer REQUEST_CODE_NOT_SUPPORTED (3).
var unservedCodes = []Entry{
	{"code-pop", "codes", Open, "POP: pop, ack, batch ack, invisible time, peek, notification, polling info, rollback, request mode.", "needs the revive queues",
		[]int32{200050, 200051, 200052, 200053, 200054, 200055, 200056, 200151, 401}},
	{"code-static-topic", "codes", Deliberate, "UPDATE_AND_CREATE_STATIC_TOPIC: a Broker here cannot be a part of a static topic, whose queues several Brokers share. The NameServer routes those of Java Brokers.", "the tool is told so; ordinary topics, of more queues or more Brokers, serve the same programs", []int32{513}},
	{"code-replication", "codes", Open, "Between brokers: slave synchronisation, HA information, acting master, broker container.", "comes with replication",
		[]int32{43, 45, 60, 61, 402, 902, 903, 905, 906, 907, 908, 1007, 1008}},
	{"code-controller", "codes", Open, "Controller requests.", "comes with automatic failover",
		[]int32{1001, 1002, 1003, 1004, 1005, 1006, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 1017, 1018}},
	{"code-auth", "codes", Open, "Users and access control lists (ACL 2.0).", "comes with access control",
		[]int32{3001, 3002, 3003, 3004, 3005, 3006, 3007, 3008, 3009, 3010}},
	{"code-cold-data", "codes", Deliberate, "Cold-data flow control and the read-ahead mode: pulls of old messages are never held back. With Java's default, coldDataFlowControlEnable=false, they are not either. The read-ahead mode of the log is fixed.", "a tool is told so instead of setting what changes nothing", []int32{2001, 2002, 2003, 2004}},
	{"code-lite", "codes", Deliberate, "Lite topics of 5.5. Java's defaults have no light queues either, so that it takes subscriptions of which nothing comes.", "a consumer is told at once instead of waiting for ever",
		[]int32{200070, 200071, 200074, 200075, 200076, 200077, 200078, 200079}},
	{"code-rocksdb", "codes", Deliberate, "RocksDB progress check and configuration export, SWITCH_TIMER_ENGINE.", "there is no RocksDB in this store; its files are Java's default ones",
		[]int32{354, 355, 5001}},
	{"code-unused", "codes", Deliberate, "Codes that have a constant in Java but no handler.", "same as Java",
		[]int32{13, 22, 23, 27, 47, 209, 210, 211, 212, 213, 214, 301, 302, 200072, 200073}},
	{"code-acl1", "codes", Deliberate, "ACL 1.0 administration of 4.x.", "same as Java 5.x", []int32{50, 51, 52, 53, 54}},
}

// differences are behaviours that differ under codes that are served.
var differences = []Entry{
	{"vip-table", "remoting", Deliberate, "The VIP port (listenPort-2) serves every request code; Java leaves out the pulls.", "one table; clients that ask get an answer", nil},
	{"parked-proxy-pull", "pull", Deliberate, "A pull with requestSource=1 and without proxyFrowardClientId is answered; Java 5.5.0 never answers it.", "a caller must not hang", nil},
	{"queue-count-bounds", "admin", Deliberate, "A topic's queue counts and permission are bounded; Java makes topics of 2147483647 or -1 queues.", "counts from the wire never size an allocation", nil},
	{"heartbeat-checks", "groups", Deliberate, "A heartbeat without a client id, or with a group or subscription without a name, answers 1, one with a name of more than 255 bytes or with too many groups or subscriptions 29, and null subscriptions are none; Java fails half-way, or takes it.", "an explicit answer, and tables that are bounded", nil},
	{"config-allow-list", "admin", Deliberate, "UPDATE_BROKER_CONFIG and UPDATE_NAMESRV_CONFIG change a short list of keys only, and refuse values with line breaks; Java refuses a short list of keys.", "CVE-2023-33246 and CVE-2023-37582", nil},
	{"config-refuses", "conf", Deliberate, "A number or enumeration in a configuration file that cannot be read stops the start and names key, value and line, a negative fileReservedTime the key; Java keeps its default in silence, or removes all files but the newest.", "a typing error must not change a production setting unnoticed", nil},
	{"start-refused", "conf", Deliberate, "A broker that is told to be a slave, a part of a DLedger or controller group, to check access, to keep its queues in RocksDB or to bring the gRPC proxy (--enable-proxy) does not start, and says which key or option asks for it.", "running on as an ordinary master would break a promise in silence", nil},
	{"json-quoted-keys", "json", Deliberate, "Integer map keys in JSON bodies are quoted (106 among them).", "valid JSON; every Java and Go client reads it", nil},
	{"malformed-number", "protocol", Deliberate, "A malformed number in a request's header is answered with SYSTEM_ERROR naming the field; Java swallows it on some paths.", "an explicit answer", nil},
	{"missing-field", "protocol", Deliberate, "A request without a field that its handler needs is refused with SYSTEM_ERROR naming the field; Java ends in an exception, or takes null for a name or a value and reports success.", "an explicit answer", nil},
	{"wide-codes", "protocol", Deliberate, "A request code beyond 16 bits (POP and lite topics) is known by what the binary header form leaves of it; Java answers that there is no such code.", "clients with that form can use POP", nil},
	{"hash-order", "protocol", Deliberate, "Ext fields, tables and sets of an answer come in a fixed order, declared or sorted; Java's order is that of a hash map.", "readers make maps and sets of them", nil},
	{"long-names", "protocol", Deliberate, "A remark is cut after 1 KiB, a name in it that no topic or group can have after 512 bytes; Java repeats all of it.", "an answer does not grow with bad input", nil},
	{"view-inside", "query", Deliberate, "VIEW_MESSAGE_BY_ID with an offset inside a message answers 1; Java sends bytes that are no message.", "readers fail on them", nil},
	{"offset-queue-bounds", "offset", Deliberate, "A consumer offset of a queue that no topic can have is refused with 29; Java stores it.", "the table of offsets is bounded by the topics", nil},
	{"delete-name", "admin", Deliberate, "DELETE_TOPIC_IN_BROKER with a name that no topic can have answers 29; Java answers success and deletes nothing.", "an explicit answer", nil},
	{"no-body", "admin", Deliberate, "A subscription group request without a body answers 1; Java answers success and makes nothing.", "an explicit answer", nil},
	{"broker-config-list", "admin", Deliberate, "GET_BROKER_CONFIG lists the keys that have a meaning here.", "Java's other keys configure parts that are not there", nil},
	{"runtime-4x", "admin", Deliberate, "GET_BROKER_RUNTIME_INFO also has getTransferedTps, which tools before 5.0 read.", "old dashboards show the figure", nil},
	{"stats-names", "admin", Deliberate, "VIEW_BROKER_STATS_DATA has TOPIC_PUT_NUMS, TOPIC_PUT_SIZE, GROUP_GET_NUMS, GROUP_GET_SIZE, SNDBCK_PUT_NUMS and the BROKER totals of puts and gets. Java's other names (latencies, reads from the disk, commercial counters) do not exist.", "the tools and exporters ask for these alone", nil},
	{"clone-all", "admin", Deliberate, "CLONE_GROUP_OFFSET without a topic clones the offsets of all topics; Java 5.5.0 answers success and clones none.", "it is what the tool asks for", nil},
	{"expression-type", "filter", Deliberate, "With enablePropertyFilter=true a pull by a broken expression, or by one of a type other than TAG and SQL92, answers 23; Java delivers everything.", "an explicit answer", nil},
	{"forbidden-names", "admin", Deliberate, "UPDATE_AND_GET_GROUP_FORBIDDEN refuses names that no group or topic can have; Java keeps them in its table.", "the table is bounded", nil},
	{"phantom-queues", "query", Deliberate, "A question about a queue of an unknown topic does not make that queue; Java makes it.", "a reader must not fill the disk", nil},
	{"txn-not-half", "transactions", Deliberate, "END_TRANSACTION for a record that is not of the half topic, and RESUME_CHECK_HALF_MESSAGE for one that is not of TRANS_CHECK_MAX_TIME_TOPIC, answer 1; Java makes a message of any record.", "no message is delivered twice by a wrong offset", nil},
	{"txn-delay", "transactions", Deliberate, "A half message with a delay level or a time of its own waits for its decision first, and for its time when it is committed. Java puts it among the waiting messages at once, from which nobody ever gets it.", "the message is not lost", nil},
	{"txn-no-decision", "transactions", Deliberate, "An END_TRANSACTION that decides neither way and is not one-way is answered with 29; Java 5.5.0 never answers it.", "a caller must not hang", nil},
	{"txn-decided", "transactions", Deliberate, "A decision that has come, written down yet or not, about a half message or about the original of its copies, spares its producer the question; Java may ask, and then deliver the message twice. A copy of a half message keeps its flag and reconsume times; Java's has none.", "fewer messages come twice", nil},
	{"timer-taken-back", "send", Deliberate, "TIMER_DEL_UNIQKEY may be the key of the message that is taken back, or its topic, '+' and the key; Java understands one of them, as appendTopicForTimerDeleteKey says.", "a directory may hold both", nil},
	{"timer-congestion", "send", Deliberate, "A slot of the timer with more than timerCongestNumEachSlot messages takes none; Java refuses at random up to twice as many.", "the key says so", nil},
	{"timer-late", "send", Deliberate, "Timer messages that are more than 7 days late are delivered, a failing delivery is tried again until it succeeds, and files of the timer that are lost are made again; Java drops such messages.", "nothing acknowledged is lost", nil},
	{"timer-metrics", "store", Deliberate, "config/timermetrics, numbers of waiting messages by topic, is not written.", "only replicas and Java's metrics read it, and Java makes it anew", nil},
	{"tls", "remoting", Open, "A TLS or PROXY-protocol opening closes the connection.", "comes with access control", nil},
	{"clean-queues", "admin", Deliberate, "CLEAN_EXPIRED_CONSUMEQUEUE removes only queues that their topic does not have any more; Java also removes those in use, whose offsets then begin at 0 again.", "consumers would skip what is sent next", nil},
	{"store-full-remark", "send", Deliberate, "The remark of a send refused with SERVICE_NOT_AVAILABLE ends with the cause.", "an operator sees which partition or file it is", nil},
	{"light-queues", "store", Deliberate, "There are no light queues (LMQ): a broker with enableLmq=true and enableMultiDispatch=true does not start. INNER_MULTI_DISPATCH stays a property, as with Java's defaults.", "a promise to MQTT and lite clients that could not be kept must not be made in silence", nil},
	{"compaction", "store", Deliberate, "A topic with cleanup.policy=COMPACTION keeps every message until its log file expires, as Java with enableCompaction=false does; keys are required. With its default, true, Java drops older values of a key and keeps the last ones.", "consumers see a superset; fileReservedTime says for how long", nil},
	{"transient-pool", "store", Deliberate, "transientStorePoolEnable changes nothing: a message is in the page cache before it is acknowledged. Java then acknowledges what only its own memory holds.", "stronger than asked for; nothing of it is seen on the wire or the disk", nil},
	{"property-crc", "store", Deliberate, "With forceVerifyPropCRC=true a record without __CRC32# is checked by its body's checksum; Java takes the log to end there.", "messages stored before enabledAppendPropCRC was set are not cut away", nil},
	{"store-damage", "store", Deliberate, "Damage inside a cleanly stopped log refuses the start with file and offset; Java truncates the log there.", "messages that were acknowledged are not dropped in silence", nil},
	{"store-queues-follow-log", "store", Deliberate, "Recovery takes the log as the truth: queue entries are corrected and missing ones rebuilt, bytes behind the log's end are zeroed, index entries older than the scan are kept. Queue and index files that are missing or have a wrong size are made again; Java does not start, or serves what is left.", "Java leaves messages unreachable in some of these cases", nil},
	{"store-mark", "store", Deliberate, "rocketd.mark and rocketd.queues stand in the store's root and make starts short; they do not count when Java had the store in between.", "Java does not look at them", nil},
	{"store-damage-refused", "store", Deliberate, "A start after a crash that finds the log damaged below what was durable ends with the file and the byte; Java cuts the log there.", "nothing acknowledged is cut away in silence; `rocketd store repair --cut` does it on request", nil},
	{"store-wrong-unit", "store", Deliberate, "A queue entry that does not point at its record is answered with an error until a restart has mended the queue; Java sends the bytes it finds there.", "never wrong bytes", nil},
	{"store-file-size", "store", Deliberate, "A commit log or consume queue whose files have another size than configured is opened with the size that they have; Java does not start.", "a directory can be moved without its configuration", nil},
	{"store-next-file", "store", Deliberate, "The next log file is not made in advance, and there is no abort.bak.", "space is allocated ahead in steps; Java does not miss them", nil},
	{"batch-cq", "send", Deliberate, "A send to a topic with queue.type=BatchCQ answers 13 and names the attribute; Java keeps its batches whole, in queue files of their own.", "no client makes such a topic unless told to; batches to ordinary topics serve the same programs", nil},
	{"send-malformed", "send", Deliberate, "Empty, torn or too large batches and empty bodies answer 13, a malformed DELAY 1 with a short text; Java answers 1 with an exception's text.", "an explicit answer", nil},
	{"send-properties", "send", Deliberate, "Repeated property names stay stored, in the client's order; Java keeps the last of each in the order of a hash map.", "readers take the last one", nil},
	{"host-flags", "send", Deliberate, "The flags that say that a message's hosts are IPv6 come from the hosts; Java adds the client's, and writes a record whose lengths contradict each other.", "every stored record can be read", nil},
	{"uniq-key-form", "send", Deliberate, "A UNIQ_KEY made by the broker has 32 characters on IPv4.", "both lengths are read everywhere", nil},
	{"sync-sendback", "send", Deliberate, "With SYNC_FLUSH a sent-back message is on the disk before the answer; Java does not wait.", "nothing acknowledged is lost", nil},
	{"filter-errors", "filter", Deliberate, "A refused SQL92 expression is answered with the position and the reason; Java prints its parser's exception. An expression nests at most 1000 deep.", "says what to mend", nil},
	{"queue-units", "query", Deliberate, "QUERY_CONSUME_QUEUE(321) goes on with the units of the queue's next file, and ends after 10,000 units or 8 MiB of extension data; Java ends with the file. With enableConsumeQueueExt=false it shows extensions that are there; Java calls them lost.", "an answer that does not depend on the size of files, and is bounded", nil},
	{"filter-bits", "filter", Deliberate, "expectConsumerNumUseFilter beyond 27,000 is refused at the start; Java starts.", "such a bitmap need not fit into a unit of the consume queue's extension", nil},
	{"filter-file", "filter", Deliberate, "An entry of consumerFilter.json that cannot be read is dropped with a warning; Java drops the whole file.", "the other groups keep their filters", nil},
	{"offset-in-memory", "offsets", Deliberate, "A group without an offset begins at 0 in a queue whose first message is still there and at most accessMessageInMemoryMaxRatio percent of memory behind the log's end; else where it asks to. Java asks the page cache for that message, and from JDK 17 on always begins at 0.", "a new topic is read from its beginning, an old one from where the group asks, whatever the page cache has", nil},
	{"correction-keeps", "offsets", Deliberate, "QUERY_CORRECTION_OFFSET looks past the groups in filterGroups; Java deletes their offsets.", "a question must not change what it asks about", nil},
	{"broadcast-offsets", "offsets", Deliberate, "enableBroadcastOffsetStore: at most 100,000 broadcasting clients are followed, and none with an id of more than 255 bytes; Java follows all that a request names.", "counts from the wire never size an allocation", nil},
	{"assignment-pull", "balance", Open, "QUERY_ASSIGNMENT always assigns in the mode PULL.", "POP is not served yet", nil},
	{"reply-packing", "relay", Deliberate, "A stored reply keeps the flags that say how its body is compressed; Java stores it without.", "the body can be read", nil},
	{"relay-form", "relay", Deliberate, "What a client answers to a relayed request is passed on in this server's header form; Java passes it on in the client's.", "readers look at the form of each frame", nil},
	{"delay-dead", "delay", Deliberate, "A delayed message that can never be delivered is skipped with an error in the log; Java tries for ever.", "one message must not hold its level", nil},
	{"pull-empty-fields", "pull", Deliberate, "A refused pull carries no extFields member where Java sends an empty one.", "clients do not look at it", nil},
	{"fast-failure", "remoting", Deliberate, "No request is refused because it waited ([TIMEOUT_CLEAN_QUEUE], [PCBUSY_CLEAN_QUEUE]): there are no thread-pool queues to wait in.", "never busy while idle", nil},
	{"frame-bounds", "protocol", Deliberate, "More than 4096 ext fields, a long frame while unfinished ones of all connections hold 1 GiB (serverMaxLongFrameBytes), a registration that inflates beyond 64 MiB, JSON headers with trailing commas or raw control characters, and binary entries that run past their region close the connection.", "bounded memory for unchecked input", nil},
	{"remark-empty", "protocol", Deliberate, "An empty remark is not written; Java writes some.", "clients read both alike", nil},
	{"panic-text", "remoting", Deliberate, "A failure inside the server answers SYSTEM_ERROR with a short text; Java sends the exception's text.", "no internals on the wire", nil},
	{"ipv6-text", "route", Deliberate, "A Broker whose brokerIP1 is an IPv6 address registers with brackets around it, also where the configuration has none; Java registers ::1:10911 then. The addresses of IPv6 clients are shown in their short form, [::1]:1234; Java writes out all eight groups.", "Java's form cannot be dialled by Go clients; readers take both", nil},
	{"static-topics", "route", Deliberate, "A static topic's mapping leaves the route when its Broker does; Java keeps it until the NameServer ends. One that names another Broker than the one that registers it is left out.", "the registry is bounded by the Brokers that are there", nil},
	{"ns-order", "namesrv", Deliberate, "Topic lists, queues and brokers come sorted; Java's order is that of a hash map.", "stable answers", nil},
	{"ns-bounds", "namesrv", Deliberate, "Topics with impossible names or queue numbers are left out of a registration; registry and key-value table are bounded; a refused registration leaves no trace.", "a hostile registration cannot fill the memory", nil},
	{"ns-kv-saved", "namesrv", Deliberate, "A key-value change that could not be saved is refused; a damaged kvConfig.json is set aside and its .bak used.", "nothing acknowledged is lost", nil},
	{"ns-config-list", "namesrv", Deliberate, "GET_NAMESRV_CONFIG lists the keys that have a meaning here.", "Java's other keys configure its threads", nil},
	{"ns-min-broker", "namesrv", Open, "Brokers are not told of a changed lowest broker id (905).", "comes with replication", nil},
	{"admin-commands", "admin", Open, "Of the mqadmin commands eight are served; the others say so by name, as do topicList -c and consumerProgress -s.", "comes with the admin tools", nil},
	{"admin-acl-keys", "admin", Open, "mqadmin does not read access keys from conf/tools.yml.", "comes with access control", nil},
	{"admin-errors", "admin", Deliberate, "mqadmin prints the exception lines of a failure without the stack below them; --strict turns failures into exit code 1.", "scripts that match the text still match", nil},
	{"properties-utf8", "conf", Deliberate, "A configuration file that is valid UTF-8 is read as UTF-8; Java reads ISO-8859-1.", "what an editor saved is what is meant", nil},
	{"json-lenient", "json", Deliberate, "Of fastjson's leniencies, trailing commas, comments and number forms such as 03, +3, 3L are refused.", "no client sends them", nil},
}
