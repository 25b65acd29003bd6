//! A spawned task may outlive its spawner, so it borrows nothing. A scope's child may.

fn main() {
    oneloop::run(async {
        let local = String::from("ends with the future of run");
        let task = oneloop::spawn(async { local.len() });
        println!("{}", task.await.unwrap());
    });
}
