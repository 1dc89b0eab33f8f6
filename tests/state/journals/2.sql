-- Journal version 2, written by commit b527879; see make.sh
PRAGMA page_size = 2048;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA application_id = 1920298610;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE applies (
    n INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, sweep TEXT NOT NULL, total INTEGER NOT NULL,
    to_run INTEGER NOT NULL, backend TEXT NOT NULL, capacity TEXT NOT NULL, max_parallel INTEGER,
    host TEXT NOT NULL, boot TEXT, pids TEXT, user TEXT NOT NULL, pid INTEGER NOT NULL, version TEXT NOT NULL,
    revision TEXT, dirty INTEGER, text TEXT NOT NULL, recipe INTEGER NOT NULL, stopped TEXT, interrupted TEXT, outcomes TEXT,
    not_run INTEGER
);
INSERT INTO "applies" VALUES(1,1.79606915889045763018e+09,1.79606915970985794072e+09,'sample',14,2,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',7536,'0.1.0','b527879a68d799a61999efa5e44330ebbb079577',0,'name: sample
exec: |
  case $kind in
    good) echo "loss=0.25"; echo ''{"acc": 0.5, "name": "grün"}'' > $$RUNNER_OUTPUT_DIR/m.json;;
    bad) echo "no such thing" >&2; exit 3;;
    slow) sleep 30;;
    big) exec python3 -c ''x = "x" * 400000000; import time; time.sleep(5)'';;
    flaky) test -e $$RUNNER_OUTPUT_DIR/again && exit 0; touch $$RUNNER_OUTPUT_DIR/again; exit 1;;
    stuck) touch $$RUNNER_OUTPUT_DIR/begun; sleep $$STUCK;;
  esac
build: "test $opt != -O9 && echo $opt > flags"
files: [in.txt]
repeat: 2
ranges:
  kind: [good, bad, slow, big, flaky]
  opt: [-O2]
include: [{kind: good, opt: -O9}, {kind: stuck, opt: -O2}]
timeout: 6s
grace: 1s
resources: {cpu: 1, mem: 100m}
capacity: {cpu: 4}
retry: {limit: 1, backoff: 1s, on: [failed]}
metrics: {loss: {regex: "loss=(.+)"}, acc: {json: m.json, key: acc}}
',1,NULL,'terminated','{"cancelled":2}',0);
INSERT INTO "applies" VALUES(2,1.79606916217173385617e+09,1.79606917042783951763e+09,'sample',14,14,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',8072,'0.1.0','b527879a68d799a61999efa5e44330ebbb079577',0,'name: sample
exec: |
  case $kind in
    good) echo "loss=0.25"; echo ''{"acc": 0.5, "name": "grün"}'' > $$RUNNER_OUTPUT_DIR/m.json;;
    bad) echo "no such thing" >&2; exit 3;;
    slow) sleep 30;;
    big) exec python3 -c ''x = "x" * 400000000; import time; time.sleep(5)'';;
    flaky) test -e $$RUNNER_OUTPUT_DIR/again && exit 0; touch $$RUNNER_OUTPUT_DIR/again; exit 1;;
    stuck) touch $$RUNNER_OUTPUT_DIR/begun; sleep $$STUCK;;
  esac
build: "test $opt != -O9 && echo $opt > flags"
files: [in.txt]
repeat: 2
ranges:
  kind: [good, bad, slow, big, flaky]
  opt: [-O2]
include: [{kind: good, opt: -O9}, {kind: stuck, opt: -O2}]
timeout: 6s
grace: 1s
resources: {cpu: 1, mem: 100m}
capacity: {cpu: 4}
retry: {limit: 1, backoff: 1s, on: [failed]}
metrics: {loss: {regex: "loss=(.+)"}, acc: {json: m.json, key: acc}}
',1,NULL,NULL,'{"failed":4,"succeeded":4,"out-of-memory":2,"timed-out":4}',0);
INSERT INTO "applies" VALUES(3,1.79606917428772068024e+09,NULL,'sample',14,2,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',8688,'0.1.0','b527879a68d799a61999efa5e44330ebbb079577',0,'name: sample
exec: |
  case $kind in
    good) echo "loss=0.25"; echo ''{"acc": 0.5, "name": "grün"}'' > $$RUNNER_OUTPUT_DIR/m.json;;
    bad) echo "no such thing" >&2; exit 3;;
    slow) sleep 30;;
    big) exec python3 -c ''x = "x" * 400000000; import time; time.sleep(5)'';;
    flaky) test -e $$RUNNER_OUTPUT_DIR/again && exit 0; touch $$RUNNER_OUTPUT_DIR/again; exit 1;;
    stuck) touch $$RUNNER_OUTPUT_DIR/begun; sleep $$STUCK;;
  esac
build: "test $opt != -O9 && echo $opt > flags"
files: [in.txt]
repeat: 2
ranges:
  kind: [good, bad, slow, big, flaky]
  opt: [-O2]
include: [{kind: good, opt: -O9}, {kind: stuck, opt: -O2}]
timeout: 6s
grace: 1s
resources: {cpu: 1, mem: 100m}
capacity: {cpu: 4}
retry: {limit: 1, backoff: 1s, on: [failed]}
metrics: {loss: {regex: "loss=(.+)"}, acc: {json: m.json, key: acc}}
',1,NULL,NULL,NULL,NULL);
INSERT INTO "applies" VALUES(4,1.79606917769592499731e+09,1.79606917948009634023e+09,'sample',14,2,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',9052,'0.1.0','b527879a68d799a61999efa5e44330ebbb079577',0,'name: sample
exec: |
  case $kind in
    good) echo "loss=0.25"; echo ''{"acc": 0.5, "name": "grün"}'' > $$RUNNER_OUTPUT_DIR/m.json;;
    bad) echo "no such thing" >&2; exit 3;;
    slow) sleep 30;;
    big) exec python3 -c ''x = "x" * 400000000; import time; time.sleep(5)'';;
    flaky) test -e $$RUNNER_OUTPUT_DIR/again && exit 0; touch $$RUNNER_OUTPUT_DIR/again; exit 1;;
    stuck) touch $$RUNNER_OUTPUT_DIR/begun; sleep $$STUCK;;
  esac
build: "test $opt != -O9 && echo $opt > flags"
files: [in.txt]
repeat: 2
ranges:
  kind: [good, bad, slow, big, flaky]
  opt: [-O2]
include: [{kind: good, opt: -O9}, {kind: stuck, opt: -O2}]
timeout: 6s
grace: 1s
resources: {cpu: 1, mem: 100m}
capacity: {cpu: 4}
retry: {limit: 1, backoff: 1s, on: [failed]}
metrics: {loss: {regex: "loss=(.+)"}, acc: {json: m.json, key: acc}}
',1,NULL,NULL,'{"failed":2}',0);
INSERT INTO "applies" VALUES(5,1.79606918301173925397e+09,NULL,'sample',14,2,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',9319,'0.1.0','b527879a68d799a61999efa5e44330ebbb079577',0,'name: sample
exec: |
  case $kind in
    good) echo "loss=0.25"; echo ''{"acc": 0.5, "name": "grün"}'' > $$RUNNER_OUTPUT_DIR/m.json;;
    bad) echo "no such thing" >&2; exit 3;;
    slow) sleep 30;;
    big) exec python3 -c ''x = "x" * 400000000; import time; time.sleep(5)'';;
    flaky) test -e $$RUNNER_OUTPUT_DIR/again && exit 0; touch $$RUNNER_OUTPUT_DIR/again; exit 1;;
    stuck) touch $$RUNNER_OUTPUT_DIR/begun; sleep $$STUCK;;
  esac
build: "test $opt != -O9 && echo $opt > flags"
files: [in.txt]
repeat: 2
ranges:
  kind: [good, bad, slow, big, flaky]
  opt: [-O2]
include: [{kind: good, opt: -O9}, {kind: stuck, opt: -O2}]
timeout: 6s
grace: 1s
resources: {cpu: 1, mem: 100m}
capacity: {cpu: 4}
retry: {limit: 1, backoff: 1s, on: [failed]}
metrics: {loss: {regex: "loss=(.+)"}, acc: {json: m.json, key: acc}}
',1,NULL,NULL,NULL,NULL);
CREATE TABLE attempts (
    session INTEGER, number INTEGER, apply INTEGER NOT NULL, name TEXT NOT NULL, backend TEXT NOT NULL,
    job TEXT, host TEXT, devices TEXT, submitted REAL NOT NULL, started REAL, ended REAL, outcome TEXT,
    exit_code INTEGER, reason TEXT, duration REAL, cpu_time REAL, max_rss INTEGER, metrics TEXT,
    PRIMARY KEY (session, number)
) WITHOUT ROWID;
INSERT INTO "attempts" VALUES(1,1,1,'b88195bad574-062279798491f2be-1','local','8020','vm',NULL,1.79606915922742819786e+09,1.7960691592752945423e+09,1.7960691597096335888e+09,'cancelled',143,'terminated',0.432739,0.001885,NULL,NULL);
INSERT INTO "attempts" VALUES(1,2,2,'b88195bad574-062279798491f2be-2','local','8373','vm',NULL,1.79606916428530812264e+09,1.79606916429632210725e+09,1.7960691703594717979e+09,'timed-out',143,'ran longer than 6s',6.059953,0.002475,NULL,NULL);
INSERT INTO "attempts" VALUES(1,3,3,'b88195bad574-062279798491f2be-3','local','9017','vm',NULL,1.79606917431314325335e+09,1.79606917447152256966e+09,1.79606917774667239188e+09,'lost',NULL,'runner died before it ended; it no longer ran',NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(1,4,5,'b88195bad574-062279798491f2be-4','local','9656','vm',NULL,1.79606918304149794579e+09,1.79606918320552182196e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(2,1,1,'b88195bad574-d12f0a79f89a455c-1','local','8022','vm',NULL,1.796069159230802536e+09,1.7960691592811210155e+09,1.79606915970919942858e+09,'cancelled',143,'terminated',0.409404,0.001958,NULL,NULL);
INSERT INTO "attempts" VALUES(2,2,2,'b88195bad574-d12f0a79f89a455c-2','local','8376','vm',NULL,1.79606916432227134709e+09,1.79606916432735872271e+09,1.79606917042747426032e+09,'timed-out',143,'ran longer than 6s',6.055101,0.002097,NULL,NULL);
INSERT INTO "attempts" VALUES(2,3,3,'b88195bad574-d12f0a79f89a455c-3','local','9011','vm',NULL,1.79606917431349229815e+09,1.79606917445700430867e+09,1.79606917776755619048e+09,'lost',NULL,'runner died before it ended; it no longer ran',NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(2,4,5,'b88195bad574-d12f0a79f89a455c-4','local','9660','vm',NULL,1.79606918304196786885e+09,1.79606918321587896345e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(3,1,2,'b88195bad574-c821b0ff64a48c20-1','local','8173','vm',NULL,1.79606916219465661049e+09,1.79606916238678956032e+09,1.79606916293712830538e+09,'succeeded',0,NULL,0.033061,0.000842,NULL,'{"loss":0.25,"acc":0.5}');
INSERT INTO "attempts" VALUES(4,1,2,'b88195bad574-f58e769c19bdb5d4-1','local','8174','vm',NULL,1.79606916219501471518e+09,1.79606916240340685848e+09,1.79606916293172144891e+09,'succeeded',0,NULL,0.01647,0.000946,NULL,'{"loss":0.25,"acc":0.5}');
INSERT INTO "attempts" VALUES(5,1,2,'b88195bad574-c4f759c7e5d3ab54-1','local','8176','vm',NULL,1.79606916220030570028e+09,1.79606916241274333005e+09,1.79606916292076897621e+09,'failed',3,'exit code 3',0.007146,0.0011,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(5,2,2,'b88195bad574-c4f759c7e5d3ab54-2','local','8361','vm',NULL,1.79606916421424198148e+09,1.79606916422020196919e+09,1.79606916424743604659e+09,'failed',3,'exit code 3',0.008051,0.000929,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(5,3,4,'b88195bad574-c4f759c7e5d3ab54-3','local','9196','vm',NULL,1.79606917777007865904e+09,1796069178.02762,1.79606917845380234717e+09,'failed',3,'exit code 3',0.005681,0.001269,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(5,4,4,'b88195bad574-c4f759c7e5d3ab54-4','local','9285','vm',NULL,1.79606917945992326738e+09,1.79606917946462678911e+09,1.79606917947306442264e+09,'failed',3,'exit code 3',0.003526,0.0008,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(6,1,2,'b88195bad574-7160a7ac4756e4c7-1','local','8178','vm',NULL,1.79606916220073175435e+09,1.79606916241843318944e+09,1.79606916291156983372e+09,'failed',3,'exit code 3',0.008924,0.0012,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(6,2,2,'b88195bad574-7160a7ac4756e4c7-2','local','8356','vm',NULL,1.796069164192258358e+09,1.79606916419772028926e+09,1.79606916422120761875e+09,'failed',3,'exit code 3',0.006687,0.000881,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(6,3,4,'b88195bad574-7160a7ac4756e4c7-3','local','9195','vm',NULL,1.79606917777074766157e+09,1.79606917800783443452e+09,1.79606917844474625592e+09,'failed',3,'exit code 3',0.025441,0.000963,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(6,4,4,'b88195bad574-7160a7ac4756e4c7-4','local','9284','vm',NULL,1.79606917944914865493e+09,1.79606917944992756841e+09,1.79606917947891616825e+09,'failed',3,'exit code 3',0.014457,0.00095,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(7,1,2,'b88195bad574-146f53be45777b88-1','local','8197','vm',NULL,1.79606916291246652603e+09,1.7960691629236831665e+09,1.79606916900840950009e+09,'timed-out',143,'ran longer than 6s',6.084147,0.001249,NULL,NULL);
INSERT INTO "attempts" VALUES(8,1,2,'b88195bad574-3d168363a3f95790-1','local','8200','vm',NULL,1.79606916292150712013e+09,1.79606916293853592875e+09,1.79606916900866794587e+09,'timed-out',143,'ran longer than 6s',6.069313,0.001377,NULL,NULL);
INSERT INTO "attempts" VALUES(9,1,2,'b88195bad574-a37ba198ba1d6963-1','local','8202','vm',NULL,1.79606916293580913543e+09,1.79606916294481921197e+09,1.79606916419169068341e+09,'out-of-memory',137,'used 100 MiB of its 100 MiB of memory',1.244504,0.1922,104857600,NULL);
INSERT INTO "attempts" VALUES(10,1,2,'b88195bad574-efd41a15a517276e-1','local','8203','vm',NULL,1.79606916293772053716e+09,1.79606916295546436309e+09,1.7960691642138283253e+09,'out-of-memory',137,'used 100 MiB of its 100 MiB of memory',1.248934,0.210525,104857600,NULL);
INSERT INTO "attempts" VALUES(11,1,2,'b88195bad574-01d0ec5d8dc51ff3-1','local','8363','vm',NULL,1.79606916422167038919e+09,1.79606916422845268245e+09,1.79606916432141304018e+09,'failed',1,'exit code 1',0.079534,0.002101,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(11,2,2,'b88195bad574-01d0ec5d8dc51ff3-2','local','8607','vm',NULL,1.79606916900926446914e+09,1.79606916903377294538e+09,1.79606916905328607564e+09,'succeeded',0,NULL,0.017724,0.000903,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(12,1,2,'b88195bad574-94288610a554ff9e-1','local','8367','vm',NULL,1.79606916424830865856e+09,1.79606916425044798851e+09,1.79606916426687312129e+09,'failed',1,'exit code 1',0.015472,0.001976,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(12,2,2,'b88195bad574-94288610a554ff9e-2','local','8606','vm',NULL,1.79606916900905728344e+09,1.79606916902785873416e+09,1.79606916905282545091e+09,'succeeded',0,NULL,0.023627,0.000869,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(13,1,2,'b88195bad574-2873c308b4cdc299-1','local',NULL,NULL,NULL,1.79606916428471326827e+09,NULL,1.7960691642847826481e+09,'failed',NULL,'build failed: exit code 1',NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(14,1,2,'b88195bad574-218de6edb13a7ae7-1','local',NULL,NULL,NULL,1.79606916428494238846e+09,NULL,1796069164.28501,'failed',NULL,'build failed: exit code 1',NULL,NULL,NULL,NULL);
CREATE TABLE builds (
    build TEXT, apply INTEGER, command TEXT NOT NULL, name TEXT NOT NULL, backend TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, outcome TEXT, exit_code INTEGER, reason TEXT, duration REAL, PRIMARY KEY (build, apply)
) WITHOUT ROWID;
INSERT INTO "builds" VALUES('0734cd11cefa3b79',2,'test -O9 != -O9 && echo -O9 > flags','b88195bad574-0734cd11cefa3b79-build-46533cde','local',1.79606916426770329476e+09,1.79606916428437829013e+09,'failed',1,'exit code 1',0.008945);
INSERT INTO "builds" VALUES('f09da3b330f696f7',1,'test -O2 != -O9 && echo -O2 > flags','b88195bad574-f09da3b330f696f7-build-e7f79bab','local',1.79606915889279532437e+09,1.79606915922668623928e+09,'succeeded',0,NULL,0.013305);
CREATE TABLE meta (state TEXT NOT NULL, created REAL NOT NULL, home TEXT);
INSERT INTO "meta" VALUES('b88195bad574',1.79606915858513712888e+09,'1faabe4077c15fab:2293914');
CREATE TABLE recipes (
    n INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, sans_files TEXT NOT NULL, parts TEXT NOT NULL
);
INSERT INTO "recipes" VALUES(1,'0b3406642f2e83c06084ee095bdf9e1734565e52e4c85fb2bba6c0afef3f2d6c','ff00791d2e6d693d80154d1bcac789116e0ab631e5b6c755946af12f0a38715f','{"exec":{"shell":["case ",{"var":"kind"}," in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"]},"build":["test ",{"var":"opt"}," != -O9 && echo ",{"var":"opt"}," > flags"],"files":{"in.txt":"98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4"}}');
CREATE TABLE sessions (
    n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, point BLOB NOT NULL, recipe INTEGER NOT NULL,
    attempts INTEGER NOT NULL, outcome TEXT
);
INSERT INTO "sessions" VALUES(1,X'062279798491F2BE',X'F02355D520AC2901',1,4,NULL);
INSERT INTO "sessions" VALUES(2,X'D12F0A79F89A455C',X'6DADEFE24DD89067',1,4,NULL);
INSERT INTO "sessions" VALUES(3,X'C821B0FF64A48C20',X'E560CD0CFC3C86BD',1,1,'succeeded');
INSERT INTO "sessions" VALUES(4,X'F58E769C19BDB5D4',X'17E826D7D2EF02F0',1,1,'succeeded');
INSERT INTO "sessions" VALUES(5,X'C4F759C7E5D3AB54',X'8A4FC3496028F85A',1,4,'failed');
INSERT INTO "sessions" VALUES(6,X'7160A7AC4756E4C7',X'16792496B9463D3B',1,4,'failed');
INSERT INTO "sessions" VALUES(7,X'146F53BE45777B88',X'9A2885168F650D06',1,1,'timed-out');
INSERT INTO "sessions" VALUES(8,X'3D168363A3F95790',X'55183A5CC91733D4',1,1,'timed-out');
INSERT INTO "sessions" VALUES(9,X'A37BA198BA1D6963',X'76DA753385112E69',1,1,'out-of-memory');
INSERT INTO "sessions" VALUES(10,X'EFD41A15A517276E',X'074C0DC05196E07B',1,1,'out-of-memory');
INSERT INTO "sessions" VALUES(11,X'01D0EC5D8DC51FF3',X'D1A527C01784F705',1,2,'succeeded');
INSERT INTO "sessions" VALUES(12,X'94288610A554FF9E',X'B8EFC55C60F1F251',1,2,'succeeded');
INSERT INTO "sessions" VALUES(13,X'2873C308B4CDC299',X'494128050FDBB6A3',1,1,'failed');
INSERT INTO "sessions" VALUES(14,X'218DE6EDB13A7AE7',X'B68AEA025A2884AB',1,1,'failed');
CREATE TABLE texts (
    session INTEGER PRIMARY KEY, repeat INTEGER NOT NULL, params TEXT NOT NULL, exec TEXT NOT NULL
);
INSERT INTO "texts" VALUES(1,0,'[["kind","stuck","stuck"],["opt","-O2","-O2"]]','"case stuck in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(2,1,'[["kind","stuck","stuck"],["opt","-O2","-O2"]]','"case stuck in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(3,0,'[["kind","good","good"],["opt","-O2","-O2"]]','"case good in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(4,1,'[["kind","good","good"],["opt","-O2","-O2"]]','"case good in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(5,0,'[["kind","bad","bad"],["opt","-O2","-O2"]]','"case bad in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(6,1,'[["kind","bad","bad"],["opt","-O2","-O2"]]','"case bad in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(7,0,'[["kind","slow","slow"],["opt","-O2","-O2"]]','"case slow in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(8,1,'[["kind","slow","slow"],["opt","-O2","-O2"]]','"case slow in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(9,0,'[["kind","big","big"],["opt","-O2","-O2"]]','"case big in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(10,1,'[["kind","big","big"],["opt","-O2","-O2"]]','"case big in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(11,0,'[["kind","flaky","flaky"],["opt","-O2","-O2"]]','"case flaky in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(12,1,'[["kind","flaky","flaky"],["opt","-O2","-O2"]]','"case flaky in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(13,0,'[["kind","good","good"],["opt","-O9","-O9"]]','"case good in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(14,1,'[["kind","good","good"],["opt","-O9","-O9"]]','"case good in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
COMMIT;
