// SPDX-License-Identifier: Apache-2.0

package mqadmin

// step is one command line of the script that all targets go through. {p} stands before every name, so that clusters can
// be shared; {ns}, {broker} and {dir} are addresses and a folder of files, and -n {ns} is added to every line. What an
// earlier line printed stands behind the name under which it was kept.
type step struct {
	line    string
	keep    map[string]string // name -> expression whose group is kept from the output
	before  func(*run) error  // what clients do first
	sorted  bool              // Java prints in the order of a hash map
	only    string            // lines of the output that count, when others are about what else the cluster holds
	drop    string            // lines that count for nothing
	mask    string            // what else is another one each time
	common  bool              // only keys that both have count: lines "key = value"
	seconds int               // after which a command that repeats itself is stopped

	needs  []int32 // request codes without which ours says so, as long as the ledger lists them
	quiet  bool    // Java's tool does not say which
	ledger string  // a line of the ledger that explains ours, drop or common
	ours   string  // what ours must print then instead of what Java's servers make it print

	tool bool // rocketd admin serves the command: it must print what Java's tool does, of every server
}

// The kept texts.
var (
	sentID   = map[string]string{"sent": `([0-9A-F]{32})`}
	offsetID = map[string]string{"offsetId": `OffsetID:\s+([0-9A-F]+)`}
)

// ofScript keeps lines about this script's own names, and headings.
const ofScript = `\{p\}|^#`

// ownSettings are what each cluster has of its own.
const ownSettings = `^(listenPort|haListenPort|rocketmqHome|configStorePath|brokerConfigPath) `

// statusValue is a figure in the status of a Broker, or several rates. Java has no distribution in its first minute.
const statusValue = `putMessageDistributeTime.*|(-?\d+(\.\d+)?(E-?\d+)? ?)+|[KMGT]?i?B\b`

// script is the state's life: topics and groups are made, messages sent, found and consumed, settings changed, and
// all is deleted.
var script = []step{
	{line: "help updateTopic", tool: true},
	{line: "updateTopic", tool: true},
	{line: "updateTopic -b {broker} -t {p}One -r 2 -w 2", tool: true},
	{line: "updatetopic -c DefaultCluster -t {p}Two -r 4 -w 4 -p 6 -a +message.type=NORMAL", tool: true},
	{line: "updateTopic -c DefaultCluster -t {p}Ordered -r 3 -w 3 -o true", tool: true},
	{line: "updateTopic -b {broker} -t {p}Unit -u true -s true", tool: true},
	{line: "updateTopic -b {broker} -t {p}One -r 2 -w 2 -a +no.such=1", tool: true},
	{line: "updateTopic -b {broker} -t {p}bad!name", tool: true},
	{line: "updateTopic -b {broker} -t TBW102", tool: true},
	{line: "updateTopic -c NoCluster -t {p}One", tool: true},
	{line: "updateTopic -b {broker} -t {p}One -r many", tool: true},
	{line: "updateTopicList -b {broker} -f {dir}/topics.json"},
	{line: "updateTopicList -c DefaultCluster -f {dir}/topics.json"},
	{line: "updateTopicList -b {broker} -f {dir}/nothing.json"},
	{line: "updateTopicPerm -b {broker} -t {p}Two -p 4"},
	{line: "updateTopicPerm -c DefaultCluster -t {p}Two -p 6"},
	{line: "updateTopicPerm -b {broker} -t {p}None -p 6"},
	{line: "topicList", sorted: true, only: `\{p\}`, tool: true},
	{line: "topicList -c", quiet: true, sorted: true, only: `\{p\}`, needs: []int32{300}, tool: true},
	{line: "topicRoute -t {p}One", tool: true},
	{line: "topicRoute -t {p}Two -l", tool: true},
	{line: "topicRoute -t {p}Ordered", tool: true},
	{line: "topicRoute -t {p}None", tool: true},
	{line: "topicClusterList -t {p}One"},
	{line: "topicClusterList -t {p}None"},
	{line: "topicStatus -t {p}One", tool: true},
	{line: "topicStatus -t {p}None", tool: true},
	{line: "allocateMQ -t {p}One -i 10.0.0.1,10.0.0.2"},
	{line: "updateOrderConf -m get -t {p}Ordered"},
	{line: "updateOrderConf -m put -t {p}Two -v broker-a:4"},
	{line: "updateOrderConf -m get -t {p}Two"},
	{line: "updateOrderConf -m delete -t {p}Two"},
	{line: "updateOrderConf -m get -t {p}Two"},

	{line: "updateSubGroup -b {broker} -g {p}Group"},
	{line: "updateSubGroup -c DefaultCluster -g {p}Slow -s true -m false -d false -o true -q 2 -r 5 -i 0 -w 1 -a false"},
	{line: "updateSubGroup -c DefaultCluster -g {p}bad!name"},
	{line: "updateSubGroupList -b {broker} -f {dir}/groups.json"},
	{line: "getConsumerConfig -g {p}Group"},
	{line: "getConsumerConfig -g {p}Slow"},
	{line: "getConsumerConfig -g {p}Listed"},
	{line: "getConsumerConfig -g {p}None"},

	{line: "sendMessage -t {p}One -p hello -k key1 -c TagA -b broker-a -i 0", keep: sentID, tool: true},
	{line: "sendMessage -t {p}One -p world -b broker-a -i 1", tool: true},
	{line: "sendMessage -t {p}Auto -p made", mask: ` +[0-3] +SEND_OK`, tool: true},
	{line: "sendMessage -t {p}One -p hello -b broker-b -i 0", tool: true},
	{line: "sendMessage -t {p}One -p hello -i 0", tool: true},
	{line: "sendMessage -t {p}One -p hello -b broker-a -i 9", tool: true},
	{line: "sendMsgStatus -b broker-a -c 2", mask: `rt=\d+|queueId=\d|queueOffset=\d+`},
	{line: "checkMsgSendRT -t {p}Two -a 4", mask: `true +\d+`},
	{line: "clusterRT -a 2 -i 60", seconds: 2, only: "broker-a|^#"},
	{line: "topicStatus -t {p}One", before: stored, tool: true},
	{line: "queryMsgByOffset -t {p}One -b broker-a -i 0 -o 0", keep: offsetID, needs: []int32{300}},
	{line: "queryMsgByOffset -t {p}One -b broker-a -i 0 -o 7"},
	{line: "queryMsgByKey -t {p}One -k key1", mask: `@\d+ *$`},
	{line: "queryMsgByKey -t {p}One -k nokey"},
	{line: "queryMsgByKey -t {p}One -k TagA -p T", mask: `@\d+ *$`},
	{line: "queryMsgByUniqueKey -t {p}One -i {sent}"},
	{line: "queryMsgByUniqueKey -t {p}One -i {sent} -a"},
	{line: "queryMsgById -t {p}One -i {offsetId}", needs: []int32{300}},
	{line: "queryMsgTraceById -i {sent} -t {p}Two"},
	{line: "printMsg -t {p}One -d true", sorted: true},
	{line: "printMsg -t {p}One -s TagA", sorted: true},
	{line: "printMsgByQueue -t {p}One -a broker-a -i 0 -p true -d true -f true"},
	{line: "consumeMessage -t {p}One -b broker-a -i 0 -o 0 -c 1 -g {p}Reader"},
	{line: "consumeMessage -t {p}One -b broker-a -i 1 -s 0 -e 99999999999999"},
	{line: "queryCq -t {p}One -q 0 -i 0 -c 1 -b {broker}", mask: `physicOffset=\d+`, needs: []int32{321}},

	{line: "consumerConnection -g {p}Group"},
	{line: "consumerProgress -g {p}Group", tool: true},
	{line: "consumerStatus -g {p}Group"},
	{line: "consumerConnection -g {p}Group", before: online},
	{line: "consumerConnection -g {p}Group -b {broker}"},
	{line: "consumerProgress -g {p}Group", tool: true},
	{line: "consumerProgress -g {p}Group -t {p}One", tool: true},
	{line: "consumerProgress -g {p}None", tool: true},
	// Java sometimes takes the last heartbeat of a consumer that has left for a new one.
	{line: "consumerProgress", drop: `\{p\}Reader`, only: ofScript, sorted: true, tool: true},
	{line: "producerConnection -g {p}Producers -t {p}One", needs: []int32{204}},
	{line: "producer -b {broker}", needs: []int32{328}, only: `\{p\}`},
	{line: "brokerConsumeStats -b {broker}", needs: []int32{317}, only: ofScript, sorted: true},
	// The rates and sums are of the last snapshot, which each takes at its own time.
	{line: "statsAll -t {p}One", needs: []int32{300, 315}, quiet: true, only: ofScript, mask: ` +\d+\.\d\d .*`},
	{line: "cloneGroupOffset -s {p}Group -d {p}Slow -t {p}One -o true"},
	{line: "consumerProgress -g {p}Slow", tool: true},
	{line: "resetOffsetByTime -g {p}Group -t {p}One -s now", needs: []int32{222}, sorted: true},
	{line: "skipAccumulatedMessage -g {p}Group -t {p}One", needs: []int32{222}, sorted: true},
	{line: "setConsumeMode -b {broker} -t {p}One -g {p}Group -m POP -q 1", needs: []int32{401}},

	{line: "clusterList", mask: `\d+-\d+\(`, tool: true},
	{line: "clusterList -c DefaultCluster -m", mask: `\d+`, tool: true},
	{line: "clusterList -c NoCluster", tool: true},
	{line: "brokerStatus -b {broker}", mask: statusValue, drop: `getTransferedTps|scheduleMessageOffset_`, ledger: "runtime-4x"},
	{line: "brokerStatus -c DefaultCluster", mask: statusValue, drop: `getTransferedTps|scheduleMessageOffset_`, ledger: "runtime-4x"},
	{line: "getBrokerConfig -b {broker}", sorted: true, common: true, drop: ownSettings, ledger: "broker-config-list"},
	{line: "getBrokerConfig -c DefaultCluster", sorted: true, common: true, drop: ownSettings, ledger: "broker-config-list"},
	{line: "updateBrokerConfig -b {broker} -k maxMessageSize -v 4194305"},
	{line: "updateBrokerConfig -c DefaultCluster -k maxMessageSize -v 4194304"},
	{line: "updateBrokerConfig -b {broker} -k brokerConfigPath -v /x"},
	{line: "updateBrokerConfig -b {broker} -k noSuchKey -v 1", ledger: "config-allow-list", ours: "CODE: 16 +DESC: there is no configuration key"},
	{line: "getNamesrvConfig", sorted: true, common: true, drop: ownSettings, ledger: "ns-config-list"},
	{line: "updateNamesrvConfig -k orderMessageEnable -v true"},
	{line: "topicRoute -t {p}Ordered", tool: true},
	{line: "updateNamesrvConfig -k orderMessageEnable -v false"},
	{line: "updateNamesrvConfig -k kvConfigPath -v /x"},
	{line: "updateKvConfig -s {p}Space -k a -v b"},
	{line: "deleteKvConfig -s {p}Space -k a"},
	{line: "wipeWritePerm -b broker-a", mask: `\d+ *$`},
	{line: "topicRoute -t {p}One", tool: true},
	{line: "addWritePerm -b broker-a", mask: `\d+ *$`},
	{line: "topicRoute -t {p}One", tool: true},
	{line: "wipeWritePerm -b broker-b"},
	{line: "exportMetadata -c DefaultCluster -f {dir}", needs: []int32{305}},
	{line: "exportConfigs -c DefaultCluster -f {dir}"},
	{line: "exportMetrics -c DefaultCluster -f {dir}", needs: []int32{305}},
	{line: "cleanUnusedTopic -b {broker}"},
	{line: "deleteExpiredCommitLog -b {broker}"},
	{line: "cleanExpiredCQ -b {broker}"},
	{line: "haStatus -b {broker}", mask: `MaxOffset\s\d+`, needs: []int32{907}},
	{line: "getColdDataFlowCtrInfo -b {broker}", needs: []int32{2003}},

	{line: "updateColdDataFlowCtrGroupConfig -b {broker} -g {p}Group -v 1", needs: []int32{2001}},
	{line: "removeColdDataFlowCtrGroupConfig -b {broker} -g {p}Group", needs: []int32{2002}},
	{line: "setCommitLogReadAheadMode -b {broker} -m 0", needs: []int32{2004}},
	{line: "getBrokerEpoch -b broker-a", needs: []int32{1007}},
	{line: "resetMasterFlushOffset -b {broker} -o 0", needs: []int32{908}},
	{line: "exportPopRecord -b {broker} -d true", needs: []int32{200056}},
	{line: "createUser -b {broker} -u {p}User -p secret", needs: []int32{3001}},
	{line: "updateUser -b {broker} -u {p}User -p secret", needs: []int32{3002}},
	{line: "deleteUser -b {broker} -u {p}User", needs: []int32{3003}},
	{line: "getUser -b {broker} -u {p}User", needs: []int32{3004}},
	{line: "listUser -b {broker}", needs: []int32{3005}},
	{line: "copyUser -f {broker} -t {broker} -u {p}User", needs: []int32{3004}},
	{line: "createAcl -b {broker} -s User:{p}User -r Topic:* -a Pub -d Allow", needs: []int32{3006}},
	{line: "updateAcl -b {broker} -s User:{p}User -r Topic:* -a Pub -d Allow", needs: []int32{3007}},
	{line: "deleteAcl -b {broker} -s User:{p}User -r Topic:*", needs: []int32{3008}},
	{line: "getAcl -b {broker} -s User:{p}User", needs: []int32{3009}},
	{line: "listAcl -b {broker}", needs: []int32{3010}},
	{line: "copyAcl -f {broker} -t {broker} -s User:{p}User", needs: []int32{3009}},
	{line: "getBrokerLiteInfo -b {broker}", needs: []int32{200074}},
	{line: "queryCq -t {p}One -q 0 -i 0 -c 1 -b {broker} -g {p}Filtering", before: filtering, mask: `physicOffset=\d+`, needs: []int32{321}},
	{line: "queryCq -t {p}One -q 0 -i 0 -c 1 -b {broker} -g {p}None", mask: `physicOffset=\d+`, needs: []int32{321}},
	{line: "triggerLiteDispatch -b broker-a -p {p}One -g {p}Group", quiet: true, needs: []int32{200079}},

	{line: "deleteTopic -c DefaultCluster -t {p}Two", tool: true},
	{line: "deleteTopic -c NoCluster -t {p}Two", tool: true},
	{line: "topicRoute -t {p}Two", tool: true},
	// Java's export fails while there is a static topic, so it goes at once.
	{line: "updateStaticTopic -c DefaultCluster -t {p}Static -qn 2", mask: `\d+`, needs: []int32{513}},
	{line: "deleteTopic -c DefaultCluster -t {p}Static", tool: true},
	{line: "deleteSubGroup -b {broker} -g {p}Slow -r true", needs: []int32{207}},
	{line: "updateOrderConf -m delete -t {p}Ordered"}, // a NameServer tells every Broker that registers
	{line: "deleteTopic -c DefaultCluster -t {p}Ordered", tool: true},
	{line: "deleteTopic -c DefaultCluster -t {p}One", tool: true},
}

// notCompared are the commands that the script leaves out, and why.
var notCompared = map[string]string{
	"startMonitoring":             "writes to its log every minute until it is stopped",
	"addBroker":                   "needs a broker container",
	"removeBroker":                "needs a broker container",
	"getSyncStateSet":             "needs a controller",
	"getControllerMetaData":       "needs a controller",
	"getControllerConfig":         "needs a controller",
	"updateControllerConfig":      "needs a controller",
	"electMaster":                 "needs a controller",
	"cleanBrokerMetadata":         "needs a controller",
	"remappingStaticTopic":        "needs a static topic",
	"dumpCompactionLog":           "reads local files of Java's compaction log",
	"exportMetadataInRocksDB":     "reads local files of RocksDB",
	"rocksDBConfigToJson":         "reads RocksDB",
	"checkRocksdbCqWriteProgress": "reads RocksDB",
	"switchTimerEngine":           "switches to RocksDB",
	"getParentTopicInfo":          "needs lite topics",
	"getLiteTopicInfo":            "needs lite topics",
	"getLiteClientInfo":           "needs lite topics",
	"getLiteGroupInfo":            "needs lite topics",
}
