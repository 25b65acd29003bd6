//! The annex: room for what layers above the heart keep with a loop, and the heart must not know.
//!
//! Its tenants are the signals that are listened for, the children that are waited for, and the panics that were heard.
//! `see/` keeps here the state that follows the events, and the server that shows the loop.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

/// One value of each type that was asked for.
#[derive(Default)]
pub(crate) struct Annex(RefCell<Vec<Rc<dyn Any>>>);

impl Annex {
    /// The value of this type. It is made when first asked for.
    pub(crate) fn get<T: Default + 'static>(&self) -> Rc<T> {
        let mut values = self.0.borrow_mut();
        if let Some(found) = values.iter().find_map(|value| Rc::clone(value).downcast().ok()) {
            return found;
        }
        let made = Rc::<T>::default();
        values.push(Rc::clone(&made) as Rc<dyn Any>);
        made
    }
}
